"""Conversations between the people of the demo, read from the texts beside this file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from infra.dev.demo import ADA, GRACE
from infra.dev.demo.seed.files import named
from infra.dev.demo.seed.letter import ANSWERED, FLAGGED, SEEN, Letter, Planted, moment, quoted
from infra.dev.demo.seed.people import PEOPLE, Person

_HERE = Path(__file__).parent
_MESSAGE = re.compile(r"@ (\w+) (?:(\d+)d (\d\d:\d\d)|(\d+)h)(.*)")
_MARKS = {"unread", "flagged", "html"}


@dataclass(frozen=True)
class Turn:
    """One message of a conversation as it was written."""

    sender: str
    when: datetime
    marks: frozenset[str]
    files: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Conversation:
    """A subject, who takes part, and what they said in turn."""

    subject: str
    people: tuple[str, ...]
    mailbox: str
    mailing_list: str
    turns: tuple[Turn, ...]


def conversations(now: datetime) -> Iterator[Planted]:
    """Every message in the mailbox of each demo user who sent or received it."""
    for name in ("conversations.txt", "lists.txt"):
        for conversation in _parsed((_HERE / name).read_text("utf-8"), now):
            yield from _planted(conversation)


def _parsed(text: str, now: datetime) -> Iterator[Conversation]:
    for block in text.split("\n== ")[1:]:
        head, *messages = re.split(r"\n(?=@ )", block)
        subject, *lines = head.strip().split("\n")
        about = dict(line.split(" ", 1) for line in lines)
        turns = tuple(_turn(message, now) for message in messages)
        yield Conversation(
            subject=subject,
            people=tuple(about.get("with", "").split()),
            mailbox=about.get("in", "INBOX"),
            mailing_list=about.get("list", ""),
            turns=turns,
        )


def _turn(message: str, now: datetime) -> Turn:
    first, _, text = message.partition("\n")
    match = _MESSAGE.fullmatch(first)
    assert match is not None, first
    sender, days, clock, hours, rest = match.groups()
    when = (
        moment(now, int(days), clock, PEOPLE[sender]) if days else now - timedelta(hours=int(hours))
    )
    words = rest.split()
    return Turn(
        sender=sender,
        when=when,
        marks=frozenset(words) & _MARKS,
        files=tuple(word for word in words if word not in _MARKS),
        text=text.strip() + "\n",
    )


def _planted(conversation: Conversation) -> Iterator[Planted]:
    written: list[Letter] = []
    said: list[Letter] = []  # the same without the quotes, to be quoted
    for number, turn in enumerate(conversation.turns):
        letter = _letter(conversation, turn, said)
        sent = replace(letter, text=quoted(letter, said[-1])) if said else letter
        if "html" in turn.marks:
            sent = replace(sent, html=_html(turn.text, sent))
        said.append(letter)
        written.append(sent)
        later = {each.sender for each in conversation.turns[number + 1 :]}
        yield from _copies(conversation, turn, sent, later)


def _letter(conversation: Conversation, turn: Turn, said: list[Letter]) -> Letter:
    sender = PEOPLE[turn.sender]
    prefix = "Re: " if said else ""
    headers: dict[str, str] = {}
    if conversation.mailing_list:
        to = [PEOPLE[conversation.mailing_list]]
        headers = _list_headers(to[0])
        prefix += f"[{to[0].address.partition('@')[0]}] "
    else:
        others = [PEOPLE[each] for each in conversation.people if each != turn.sender]
        # A reply goes to who wrote last; the others are copied.
        last = said[-1].sender if said and said[-1].sender != sender else None
        to = [last] if last else others
        headers["X-Mailer"] = "Quill 4.2"
    text = f"{turn.text}\n{sender.signature}\n" if sender.signature and not said else turn.text
    return Letter(
        sender=sender,
        to=to,
        cc=[]
        if conversation.mailing_list
        else [PEOPLE[each] for each in conversation.people if PEOPLE[each] not in (sender, *to)],
        subject=prefix + conversation.subject,
        when=turn.when,
        text=text,
        files=[named(each) for each in turn.files],
        in_reply_to=[each.message_id for each in said],
        headers=headers,
    )


def _copies(
    conversation: Conversation, turn: Turn, sent: Letter, later: set[str]
) -> Iterator[Planted]:
    for key, account in (("ada", ADA), ("grace", GRACE)):
        subscribed = conversation.mailing_list and account is ADA
        if key not in conversation.people and not subscribed:
            continue
        own = turn.sender == key
        flags = {SEEN} if own or "unread" not in turn.marks else set[str]()
        if "flagged" in turn.marks:
            flags.add(FLAGGED)
        if key in later and not own:
            flags.add(ANSWERED)
        received = conversation.mailbox if account is ADA else "INBOX"
        yield Planted(
            owner=account.address,
            mailbox="Sent" if own else received,
            raw=sent.render(),
            received_at=sent.when,
            flags=frozenset(flags),
        )


def _list_headers(mailing_list: Person) -> dict[str, str]:
    name, _, domain = mailing_list.address.partition("@")
    return {
        "Sender": f"{name}-bounces@{domain}",
        "List-Id": f"{mailing_list.name} <{name}.{domain}>",
        "List-Post": f"<mailto:{mailing_list.address}>",
        "List-Unsubscribe": f"<mailto:{name}-leave@{domain}>, <https://{domain}/{name}/leave>",
        "List-Archive": f"<https://{domain}/{name}/>",
        "Precedence": "list",
    }


def _html(text: str, letter: Letter) -> str:
    paragraphs = "".join(f"<p>{escape(each)}</p>" for each in text.strip().split("\n\n"))
    return (
        '<div style="font-family: Georgia, serif; font-size: 15px; line-height: 1.5">'
        f'{paragraphs}<p style="color: #777">{escape(letter.sender.first_name)}</p></div>'
    )
