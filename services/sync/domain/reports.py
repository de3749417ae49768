"""What a report says: of delivery (RFC 3464), of reading (RFC 8098), of abuse (RFC 5965)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from services.sync.domain.mime.charset import decode
from services.sync.domain.mime.fields import read_header
from services.sync.domain.mime.structure import Part
from services.sync.domain.mime.words import decode_words, one_line
from shared.contracts.content import RecipientReport, Report, ReportKind

MAX_RECIPIENTS = 100
_MAX_BYTES = 256 * 1024
_MAX_TEXT = 1_000

_KINDS = {
    "message/delivery-status": ReportKind.DELIVERY,
    "message/global-delivery-status": ReportKind.DELIVERY,  # RFC 6533
    "message/disposition-notification": ReportKind.READING,
    "message/global-disposition-notification": ReportKind.READING,
    "message/feedback-report": ReportKind.ABUSE,
}
#: What was sent, whole or its header.
_WHOLE = {"message/rfc822", "message/global"}
_HEADERS = {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_ID = re.compile(rb"<([^<>\s]{1,998})>")
_BLANK = re.compile(rb"\n(?:[ \t]*\r?\n)+")


def is_read_for_report(media_type: str) -> bool:
    """Whether a part is what a report is told by, apart from a message that came back whole."""
    return media_type in _KINDS or media_type in _HEADERS


def report_of(attached: Sequence[Part]) -> Report | None:
    """What the first report among these parts says."""
    for part in attached:
        if kind := _KINDS.get(part.media_type):
            groups = list(_groups(part.content[:_MAX_BYTES]))
            return Report(
                kind=kind,
                about=_about(groups, attached),
                recipients=tuple(_recipients(kind, groups)),
            )
    return None


def _groups(raw: bytes) -> Iterator[Mapping[str, bytes]]:
    """Groups of fields, written like headers, with blank lines between (RFC 3464 §2.1)."""
    groups = _BLANK.split(raw.strip(b" \t\r\n"), maxsplit=MAX_RECIPIENTS + 1)
    for group in groups[: MAX_RECIPIENTS + 1]:
        yield read_header(group + b"\n\n", 0, len(group) + 2).first


def _recipients(
    kind: ReportKind, groups: Sequence[Mapping[str, bytes]]
) -> Iterator[RecipientReport]:
    match kind:
        case ReportKind.DELIVERY:
            for group in groups:
                if "final-recipient" in group or "original-recipient" in group:
                    yield _delivery(group)
        case ReportKind.READING:
            told = _all_of(groups)
            yield RecipientReport(
                recipient=_typed(told, "final-recipient"),
                original_recipient=_original(told),
                action=_disposition(told),
                diagnostic=_text(told, "error") or _text(told, "failure") or None,
            )
        case _:
            told = _all_of(groups)
            yield RecipientReport(
                recipient=_text(told, "original-rcpt-to").strip("<>"),
                action=_text(told, "feedback-type").lower(),
                diagnostic=_text(told, "auth-failure") or None,  # RFC 6591
            )


def _delivery(group: Mapping[str, bytes]) -> RecipientReport:
    status = _STATUS.search(_text(group, "status"))
    diagnostic = _typed(group, "diagnostic-code")
    action = _text(group, "action").lower()
    return RecipientReport(
        recipient=_typed(group, "final-recipient") or _typed(group, "original-recipient"),
        original_recipient=_original(group),
        action=action.partition(" ")[0],  # comments follow: `failed (bad destination)`
        status=status[1] if status else None,
        diagnostic=diagnostic or None,
    )


def _original(group: Mapping[str, bytes]) -> str | None:
    original = _typed(group, "original-recipient")
    return original if original and original != _typed(group, "final-recipient") else None


def _typed(group: Mapping[str, bytes], name: str) -> str:
    """What stands behind the type in `rfc822; ann@example.org`, which some leave out."""
    text = _text(group, name)
    _, semicolon, value = text.partition(";")
    return (value if semicolon else text).strip().strip("<>")


def _disposition(told: Mapping[str, bytes]) -> str:
    """`displayed` of `manual-action/MDN-sent-manually; displayed/error`."""
    modes, semicolon, what = _text(told, "disposition").lower().partition(";")
    return (what if semicolon else modes).partition("/")[0].strip()


def _all_of(groups: Sequence[Mapping[str, bytes]]) -> Mapping[str, bytes]:
    """One group where the RFC has one, whatever blank lines are in it."""
    return {name: value for group in reversed(groups) for name, value in group.items()}


def _about(groups: Sequence[Mapping[str, bytes]], attached: Sequence[Part]) -> str | None:
    """The Message-ID of what was sent: as the report says it, else from what it brought along."""
    for group in groups:
        if found := _ID.search(group.get("original-message-id", b"")):
            return decode(found[1], None)
    return about_attached(attached)


def about_attached(attached: Sequence[Part]) -> str | None:
    """The Message-ID of the message, or of the header of one, that was brought along."""
    for part in attached:
        if part.media_type in _WHOLE or part.media_type in _HEADERS:
            raw = part.content[:_MAX_BYTES]
            header = read_header(raw, 0, len(raw)).first
            if found := _ID.search(header.get("message-id", b"")):
                return decode(found[1], None)
    return None


def _text(group: Mapping[str, bytes], name: str) -> str:
    return one_line(decode_words(group.get(name, b"")[: 4 * _MAX_TEXT]))[:_MAX_TEXT]
