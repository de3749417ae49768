"""A file of many messages gives each of them back."""

import mailbox
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from services.api.domain.mbox import Mbox

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BODIES = [
    b"Subject: a\r\n\r\nFrom here\r\n>From there\r\nnot From\r\n",
    b"Subject: b\r\n\r\nwithout an end",
    b"From the first line on\n\n",
    b"",
    b"Subject: long\r\n\r\n" + b"x" * 200_000 + b"From \r\nFrom y\r\n",
]


def written(bodies: list[bytes], size: int) -> bytes:
    mbox = Mbox()
    out = b""
    for body in bodies:
        out += mbox.begin("ada@example.org", NOON)
        for first in range(0, len(body), size):
            out += mbox.write(body[first : first + size])
        out += mbox.end()
    return out


def read_back(data: bytes) -> list[bytes]:
    """By the rule of mboxrd: messages begin with `From ` behind an empty line."""
    found: list[list[bytes]] = []
    for line in data.split(b"\n"):
        if line.startswith(b"From "):
            found.append([])
        else:
            quoted = line.lstrip(b">").startswith(b"From ") and line.startswith(b">")
            found[-1].append(line[1:] if quoted else line)
    return [b"\n".join(lines) for lines in found]


def plain(body: bytes) -> bytes:
    body = body.replace(b"\r\n", b"\n")
    return body if body.endswith(b"\n") or not body else body + b"\n"


def test_every_message_comes_back_however_its_lines_begin() -> None:
    for size in (1, 7, 1000, 300_000):
        found = read_back(written(BODIES, size))
        assert len(found) == len(BODIES)
        for body, lines in zip(BODIES, found, strict=True):
            assert lines.rstrip(b"\n") == plain(body).rstrip(b"\n")


@given(
    st.lists(st.lists(st.sampled_from([b"From ", b">", b"\r\n", b"\n", b"\r", b"x"]))),
    st.integers(1, 9),
)
def test_messages_of_whatever_lines_are_told_apart(parts: list[list[bytes]], size: int) -> None:
    bodies = [b"".join(each) for each in parts]
    found = read_back(written(bodies, size)) if bodies else []
    assert [lines.rstrip(b"\n") for lines in found] == [
        plain(body).rstrip(b"\n") for body in bodies
    ]


def test_other_programs_read_it(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(written([BODIES[0], BODIES[1]], 10))
    box = mailbox.mbox(tmp_path / "a.mbox")
    assert [message["Subject"] for message in box] == ["a", "b"]
    assert box[0].get_from() == "ada@example.org Mon Jan  5 12:00:00 2026"
    box.close()
