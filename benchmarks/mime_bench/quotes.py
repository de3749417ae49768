"""What is left of an answer when quoted history and signature are cut.

standard_replies   answers of many mail programs, whose own words are known (talon)
html_replies       the same in HTML
signatures         letters, of which a signature is known line by line (talon)
quoted_lines_cut   lines with `>` below which nobody wrote any more (email_reply_parser)
own_lines_kept     of the same answers, the lines above them
"""

import re
from collections.abc import Iterator
from pathlib import Path

from services.sync.domain.mime.html_text import text_of_html
from services.sync.domain.parse import parse
from services.sync.domain.quoting import own_text
from tests.corpora import corpora

_THE_ANSWER = "Hello"
_THE_HTML_ANSWER = "Hi. I am fine. Thanks, Alex"
_SIGNED = "#sig#"
_REPLIED = "#reply#"


def compared() -> dict[str, tuple[int, int]]:
    """By set: how many are as they should be, of how many; none where there are no corpora."""
    folder = corpora()
    if folder is None:
        return {}
    talon = folder / "quotes" / "talon" / "fixtures"
    letters = [path.read_text("utf-8", "replace") for path in _letters(folder)]
    return {
        "standard_replies": _count(_standard(talon / "standard_replies")),
        "html_replies": _count(_html(talon / "html_replies")),
        "signatures": _count(_signatures(talon / "signature" / "emails")),
        "quoted_lines_cut": _count(_history(letters)),
        "own_lines_kept": _count(_own(letters)),
    }


def _count(good: Iterator[bool]) -> tuple[int, int]:
    each = list(good)
    return sum(each), len(each)


def _words(text: str) -> str:
    return " ".join(text.split())


def _standard(folder: Path) -> Iterator[bool]:
    """Whose expected text keeps the signature (`Sent from my iPhone`), may be without it, too."""
    for path in sorted(folder.glob("*.eml")):
        expected = folder / f"{path.stem}_reply_text"
        wanted = {_THE_ANSWER, _words(expected.read_text("utf-8")) if expected.exists() else ""}
        yield _words(own_text(parse(path.read_bytes()).text)) in wanted


def _html(folder: Path) -> Iterator[bool]:
    for path in sorted(folder.glob("*.html")):
        text = text_of_html(path.read_text("utf-8", "replace"))
        said = _words(own_text(text))
        yield said in {_THE_HTML_ANSWER, _THE_HTML_ANSWER.partition(" Thanks")[0]}


def _signatures(folder: Path) -> Iterator[bool]:
    """Each line by itself: of a signature it goes, of the letter it stays."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(("_sender", "_signature", "_body")):
            continue
        text = path.read_text("utf-8", "replace").partition("\n\n")[2]
        marked = text.splitlines()
        left = _lines(own_text("\n".join(map(_unmarked, marked))))
        for line in marked:
            said = _words(_unmarked(line))
            if said and not line.startswith(_REPLIED):
                yield (said in left) != line.startswith(_SIGNED)
    for signature in sorted(folder.rglob("*_signature")):
        body = signature.with_name(signature.name.replace("_signature", "_body"))
        signed = _lines(_unmarked_all(signature.read_text("utf-8", "replace")))
        text = _unmarked_all(body.read_text("utf-8", "replace"))
        left = _lines(own_text(text))
        for said in _lines(text):
            yield (said in left) != (said in signed)


def _unmarked_all(text: str) -> str:
    return "\n".join(map(_unmarked, text.splitlines()))


def _unmarked(line: str) -> str:
    return line.removeprefix(_SIGNED).removeprefix(_REPLIED).lstrip(" ")


def _lines(text: str) -> set[str]:
    return {_words(line) for line in text.splitlines()} - {""}


def _letters(folder: Path) -> list[Path]:
    return sorted((folder / "quotes" / "gh-email_reply_parser" / "emails").glob("*.txt"))


_QUOTED = re.compile(r"\s*>")


def _history(letters: list[str]) -> Iterator[bool]:
    for text in letters:
        left = _lines(own_text(text))
        for line in text[_last_of_own(text) :].splitlines():
            if _QUOTED.match(line) and _words(line.lstrip("> \t")):
                yield _words(line) not in left


def _own(letters: list[str]) -> Iterator[bool]:
    """What stands before the first quoted line, where any does."""
    for text in letters:
        first = re.search(r"^\s*>", text, re.MULTILINE)
        if first is None:
            continue
        left = _lines(own_text(text))
        paragraphs = re.split(r"\n\s*\n", text[: first.start()])[:-1]  # the last introduces it
        for paragraph in paragraphs:
            for line in _lines(paragraph):
                yield line in left


def _last_of_own(text: str) -> int:
    """Where the last run of quoted lines begins."""
    at = len(text)
    seen = False
    for line in reversed(text.splitlines(keepends=True)):
        if _QUOTED.match(line):
            seen = True
        elif seen and line.strip():
            break
        at -= len(line)
    return at if seen else len(text)
