"""A mail server's answer to one command (RFC 5321 §4.2)."""

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?:\s+|$)")  # RFC 3463 §2
_LONGEST = 2000
_CONTROLS = {code: " " for code in (*range(32), 127) if chr(code) != "\n"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply code, the enhanced code where the server gives one, and its words."""

    code: int
    enhanced_code: str | None
    text: str

    @property
    def asks_to_sign_in(self) -> bool:
        """Whether the server does not know who speaks, or not any more (RFC 4954 §6).

        Some look at an access token at each command, and it ends in the middle of a message.
        """
        return self.code in (530, 535)


def reply_of(code: int, text: str) -> Reply:
    """Tell the enhanced status code (RFC 2034) from the words, of however many lines.

    An enhanced code whose class differs from the reply code's is none (RFC 2034 §4). The
    words can be stored and shown: no control characters, no broken bytes, no endless text.
    """
    enhanced: str | None = None
    lines: list[str] = []
    # What the server sent need not be UTF-8; the library keeps strange bytes as surrogates.
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for line in readable.translate(_CONTROLS).split("\n"):
        line = line.strip()
        found = _ENHANCED.match(line)
        if found and found[1] == str(code)[:1]:
            enhanced = enhanced or found[0].strip()
            line = line[found.end() :]
        lines.append(line)
    return Reply(code, enhanced, " ".join(line for line in lines if line)[:_LONGEST])
