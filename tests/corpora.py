"""Real mail written by others, for tests: read where it lies, never copied into the project.

The corpora are a folder beside the repository (or POSTBUS_CORPORA). A clone without it skips the
tests that need them.
"""

import gzip
import os
import re
from pathlib import Path

_BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "corpora"

# The line before each message of an mbox (RFC 4155): `From `, a sender and asctime's date. Senders
# of list archives are written `ada at example.org`.
_SEPARATOR = re.compile(
    rb"^From .*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +[A-Z][a-z]{2} +\d{1,2} .*\d{4}.*\r?\n", re.MULTILINE
)
_ENVELOPE_LINE = re.compile(rb"\AFrom .*\r?\n")
_HEADER_END = re.compile(rb"^\r?\n", re.MULTILINE)
_MESSAGE_ID = re.compile(
    rb"^message-id[ \t]*:((?:.*(?:\r?\n[ \t])?)*)", re.IGNORECASE | re.MULTILINE
)

# Of the other text files only these folders hold whole messages, not parts or bodies of them.
_TEXT_FOLDERS = ("spamassassin/", "mime/cpython-test_email/")


def corpora() -> Path | None:
    """The folder of the corpora, where this machine has it."""
    folder = Path(os.environ.get("POSTBUS_CORPORA") or _BESIDE)
    return folder if (folder / "spamassassin").is_dir() else None


def messages() -> list[tuple[str, bytes]]:
    """Every whole message of the corpora, broken ones too, with a name that stays the same.

    The name is the file's path, with `#n` for the nth message of an mbox. Bytes are as stored, most
    with bare LF, some with NUL; only the `From ` line of the mbox is gone. The list is empty where
    there are no corpora.
    """
    folder = corpora()
    if folder is None:
        return []
    found: list[tuple[str, bytes]] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        text = path.suffix == ".txt" and name.startswith(_TEXT_FOLDERS)
        if text or path.suffix in {".eml", ".msg"}:
            found.append((name, _ENVELOPE_LINE.sub(b"", path.read_bytes())))
        elif path.suffix == ".mbox":
            found += _of_mbox(name, path.read_bytes())
        elif name.endswith(".txt.gz"):
            found += _of_mbox(name, gzip.decompress(path.read_bytes()))
    return found


def message_id(raw: bytes) -> str | None:
    """The first Message-ID of the header, as written but unfolded; None when missing or empty."""
    end = _HEADER_END.search(raw)
    field = _MESSAGE_ID.search(raw[: end.start()] if end else raw)
    if field is None:
        return None
    return " ".join(field[1].decode("utf-8", "replace").split()) or None


def _of_mbox(name: str, raw: bytes) -> list[tuple[str, bytes]]:
    first, *rest = _SEPARATOR.split(raw)
    assert not first.strip(), f"{name} does not begin with a separator"
    return [(f"{name}#{number}", each) for number, each in enumerate(rest, 1)]
