"""Bounces that are told in words only: of qmail, Exim and Exchange, before they knew RFC 3464.

Each writes always the same words. Who does not write just these, from an address that only mail
servers write from, is not believed to be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from services.sync.domain.mime.charset import decode
from services.sync.domain.mime.fields import read_header
from services.sync.domain.mime.words import one_line
from shared.contracts.content import RecipientReport, Report, ReportKind

MAX_RECIPIENTS = 100
_MAX_CHARACTERS = 64 * 1024
_MAX_DIAGNOSTIC = 1_000

_SERVERS = {"mailer-daemon", "postmaster"}

#: http://cr.yp.to/proto/qsbmf.txt: the first words, each recipient's paragraph, and the last one.
_QMAIL = "Hi. This is the "
_QMAIL_COPY = re.compile(r"^--- Below this line is .*$", re.MULTILINE)
_QMAIL_RECIPIENT = re.compile(r"<([^<>\s]{1,320})>:\s*")

_EXIM = "This message was created automatically by "
_EXIM_FAILED = re.compile(r"^(?:.* )?address(?:\(es\)|es)? failed:[ \t]*$", re.MULTILINE)
_EXIM_DELAYED = re.compile(
    r"^The address(?:es)? to which the message has not yet been delivered (?:is|are):[ \t]*$",
    re.MULTILINE,
)
_EXIM_COPY = re.compile(r"^-{4,} This is a copy of .*$", re.MULTILINE)
_EXIM_RECIPIENT = re.compile(r"[ ]{2}(\S{1,320})[ \t]*")

_EXCHANGE = "Your message"
_EXCHANGE_FAILED = re.compile(
    r"^[ \t]*(?:did not reach the following recipient\(s\)"
    r"|The following recipient\(s\) could not be reached):[ \t]*$",
    re.MULTILINE,
)
_EXCHANGE_RECIPIENT = re.compile(r"[ \t]*([^\s@]{1,64}@[^\s@]{1,255}) on \S.*")

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_ID = re.compile(rb"<([^<>\s]{1,998})>")


def bounce_of(sender: str, text: str) -> Report | None:
    """What a server says became of a message, where it says it in words that are known."""
    if sender.partition("@")[0].lower() not in _SERVERS:
        return None
    text = text[:_MAX_CHARACTERS].lstrip()
    if text.startswith(_QMAIL):
        told, copy = _parted(text, _QMAIL_COPY)
        return _report("failed", _of_qmail(told), copy)
    if text.startswith(_EXIM):
        told, copy = _parted(text, _EXIM_COPY)
        for beginning, action in ((_EXIM_FAILED, "failed"), (_EXIM_DELAYED, "delayed")):
            if found := beginning.search(told):
                said = told[found.end() :].strip("\n").split("\n")
                return _report(action, _entries(said, _EXIM_RECIPIENT, deeper=True), copy)
    if text.startswith(_EXCHANGE) and (found := _EXCHANGE_FAILED.search(text)):
        said = text[found.end() :].strip("\n").split("\n")
        return _report("failed", _entries(said, _EXCHANGE_RECIPIENT, deeper=False), "")
    return None


def _parted(text: str, behind: re.Pattern[str]) -> tuple[str, str]:
    """What is told, and the message that it is told of."""
    found = behind.search(text)
    return (text[: found.start()], text[found.end() :]) if found else (text, "")


def _of_qmail(told: str) -> Iterator[tuple[str, str]]:
    for paragraph in re.split(r"\n[ \t]*\n", told)[1:]:
        if found := _QMAIL_RECIPIENT.match(paragraph.lstrip()):
            yield found[1], paragraph.lstrip()[found.end() :]


def _entries(
    lines: Sequence[str], recipient: re.Pattern[str], *, deeper: bool
) -> Iterator[tuple[str, str]]:
    """A line for each recipient, and what follows it until the next one.

    `deeper`: what follows is indented, and the first line that is not ends the list.
    """
    address, said = "", list[str]()
    for line in lines:
        if found := recipient.fullmatch(line):
            if address:
                yield address, "\n".join(said)
            address, said = found[1], []
        elif deeper and line.strip() and not line.startswith("   "):
            break
        elif address:
            said.append(line)
    if address:
        yield address, "\n".join(said)


def _report(action: str, told: Iterator[tuple[str, str]], copy: str) -> Report | None:
    recipients = tuple(
        RecipientReport(
            recipient=bare,
            action=action,
            status=status[1] if (status := _STATUS.search(said)) else None,
            diagnostic=one_line(said)[:_MAX_DIAGNOSTIC] or None,
        )
        for (address, said), _ in zip(told, range(MAX_RECIPIENTS), strict=False)
        if (bare := address.strip("<>:"))
    )
    if not recipients:
        return None
    return Report(kind=ReportKind.DELIVERY, about=_about(copy), recipients=recipients)


def _about(copy: str) -> str | None:
    """The Message-ID in the header of the copy."""
    raw = copy.lstrip().encode()
    found = _ID.search(read_header(raw, 0, len(raw)).first.get("message-id", b""))
    return decode(found[1], None) if found else None
