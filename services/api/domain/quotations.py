"""What is said of an older message in a newer one: quoted in an answer, or passed on whole."""

import re
from datetime import datetime
from email.utils import format_datetime
from html import escape

from msgspec import Struct

from shared.contracts.mail import Address

# What of a document is not its body; a body stands in another one.
_AROUND = re.compile(
    r"<!doctype[^>]*>|<\?xml[^>]*>|</?(?:html|body)\b[^>]*>|<head\b.*?</head\s*>",
    re.IGNORECASE | re.DOTALL,
)


class Quoted(Struct, frozen=True, kw_only=True):
    """An older message, as far as a newer one shows it."""

    sender: Address | None
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    sent_at: datetime
    text: str
    html: str | None


def with_quotation(text: str | None, html: str | None, quoted: Quoted) -> tuple[str, str | None]:
    """An answer with what it answers below it: text, and HTML where there is any."""
    who = quoted.sender.name or quoted.sender.email if quoted.sender else "?"
    intro = f"On {format_datetime(quoted.sent_at)}, {who} wrote:"
    marked = "\n".join(
        f">{line}" if line.startswith(">") else f"> {line}" if line else ">"
        for line in quoted.text.rstrip("\n").split("\n")
    )
    words = f"{_before(text)}{intro}\n{marked}\n"
    if html is None and (quoted.html is None or text is not None):
        return words, None
    cite = f'<blockquote type="cite">{_html_of(quoted)}</blockquote>'
    return words, f"{_inside(html)}<p>{escape(intro)}</p>{cite}"


def with_forwarded(text: str | None, html: str | None, quoted: Quoted) -> tuple[str, str | None]:
    """A message with another one passed on below it, and who wrote that to whom."""
    fields = [
        ("From", _listed((quoted.sender,) if quoted.sender else ())),
        ("Date", format_datetime(quoted.sent_at)),
        ("Subject", quoted.subject),
        ("To", _listed(quoted.to)),
        ("Cc", _listed(quoted.cc)),
    ]
    lines = [(name, value) for name, value in fields if value]
    mark = "---------- Forwarded message ----------"
    header = "\n".join(f"{name}: {value}" for name, value in lines)
    words = f"{_before(text)}{mark}\n{header}\n\n{quoted.text}"
    if html is None and quoted.html is None:
        return words, None
    own = html if html is not None else _html_of_text(text or "")
    head = "<br>".join(f"<b>{name}:</b> {escape(value)}" for name, value in lines)
    return words, f"{_inside(own)}<p>{mark}<br>{head}</p>{_html_of(quoted)}"


def signed(
    text: str | None, html: str | None, own_text: str, own_html: str
) -> tuple[str | None, str | None]:
    """The words with a signature below, behind the mark that readers know (RFC 3676 §4.3)."""
    if text is not None and own_text:
        text = f"{text.rstrip(chr(10))}\n\n-- \n{own_text}\n"
    if html is not None and (own_html or own_text):
        html = f"{_inside(html)}<div>-- <br>{own_html or _html_of_text(own_text)}</div>"
    return text, html


def _before(text: str | None) -> str:
    return f"{text.rstrip(chr(10))}\n\n" if text else ""


def _inside(html: str | None) -> str:
    return _AROUND.sub("", html) if html else ""


def _html_of(quoted: Quoted) -> str:
    return _inside(quoted.html) if quoted.html is not None else _html_of_text(quoted.text)


def _html_of_text(text: str) -> str:
    return f'<div style="white-space: pre-wrap">{escape(text)}</div>' if text else ""


def _listed(people: tuple[Address, ...]) -> str:
    return ", ".join(f"{one.name} <{one.email}>" if one.name else one.email for one in people)
