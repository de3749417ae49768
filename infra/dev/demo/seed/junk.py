"""What belongs in Junk: offers nobody asked for, written for this demo."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from infra.dev.demo import ADA
from infra.dev.demo.seed.letter import SEEN, Letter, Planted, moment
from infra.dev.demo.seed.people import PEOPLE, Person


def junk(now: datetime) -> Iterator[Planted]:
    written = Path(__file__).with_name("junk.txt").read_text("utf-8")
    offers = written.split("\n== ")[1:]
    for number in range(24):
        subject, about, text = offers[number % len(offers)].strip().split("\n", 2)
        _, address, name = about.split(" ", 2)
        sender = Person(name, address, -7)
        prefix = ("", "Re: ", "FINAL NOTICE: ")[number // len(offers)]
        when = moment(now, 1 + 7 * number, f"{number % 24:02}:{number * 13 % 60:02}", sender)
        letter = Letter(
            sender=sender,
            to=[PEOPLE["ada"]],
            subject=prefix + subject,
            when=when,
            text=text + "\n",
            html=f'<p style="font-size: 22px; color: #c00"><b>{subject}</b></p><p>{text}</p>',
            headers={"X-Spam-Flag": "YES", "X-Spam-Score": f"{7.1 + number % 9:.1f}"},
        )
        yield Planted(
            owner=ADA.address,
            mailbox="Junk",
            raw=letter.render(),
            received_at=when,
            flags=frozenset({SEEN} if number > 5 else ()),
        )
