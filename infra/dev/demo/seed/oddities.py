"""What a mail program meets sooner or later: bounces, forwards in forwards, broken messages."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime

from infra.dev.demo import ADA, DOMAIN
from infra.dev.demo.seed.files import pdf, png, table
from infra.dev.demo.seed.letter import (
    DRAFT,
    FLAGGED,
    SEEN,
    File,
    Letter,
    Planted,
    moment,
)
from infra.dev.demo.seed.people import PEOPLE, Person

MAILER = Person("Mail Delivery System", f"mailer-daemon@{DOMAIN}", 1)


def oddities(now: datetime) -> Iterator[Planted]:
    yield _place(*_bounce(now, 92, "harriet@saltfield.example", "550 5.1.1", "User unknown"))
    yield _place(*_bounce(now, 37, "press@capital-news.example", "552 5.2.2", "Mailbox full"))
    yield _place(*_delayed(now))
    yield _place(*_forwarded(now))
    yield _place(*_flowed(now))
    yield _place(*_signed(now))
    yield _place(*_attachments(now), flags={SEEN, FLAGGED})
    yield _place(*_html_only(now))
    yield _place(*_no_subject(now), flags=())
    yield _place(*_broken_boundary(now))
    yield _place(*_broken_headers(now))
    yield _place(*_wrong_charset(now))
    for draft in _drafts(now):
        yield _place(draft.when, draft.render(), mailbox="Drafts", flags={SEEN, DRAFT})


def _place(
    when: datetime,
    raw: bytes,
    mailbox: str = "INBOX",
    flags: set[str] | tuple[str, ...] = (SEEN,),
) -> Planted:
    return Planted(
        owner=ADA.address,
        mailbox=mailbox,
        raw=raw,
        received_at=when,
        flags=frozenset(flags),
    )


def _raw(text: str, charset: str = "utf-8") -> bytes:
    return text.replace("\n", "\r\n").encode(charset)


def _report(when: datetime, subject: str, words: str, status: str, original: Letter) -> bytes:
    """A delivery status notification (RFC 3464)."""
    return _raw(
        f"""Return-Path: <>
Date: {format_datetime(when)}
From: {MAILER.name} <{MAILER.address}>
To: {ADA.address}
Subject: {subject}
Message-ID: <dsn.{when:%Y%m%d%H%M}@{DOMAIN}>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"

--=_report
Content-Type: text/plain; charset=us-ascii

{words}
--=_report
Content-Type: message/delivery-status

Reporting-MTA: dns; {DOMAIN}
Arrival-Date: {format_datetime(original.when)}

{status}
--=_report
Content-Type: message/rfc822

{original.render().decode().replace(chr(13), "")}
--=_report--
"""
    )


def _bounce(
    now: datetime, days: int, address: str, code: str, reason: str
) -> tuple[datetime, bytes]:
    when = moment(now, days, "14:07", MAILER)
    original = Letter(
        sender=PEOPLE["ada"],
        to=[Person("", address)],
        subject="Opening of the Harbour Library",
        when=when - timedelta(minutes=1),
        text="Dear all,\n\nwe would be glad to see you at the opening.\n\nAda Lindqvist\n",
    )
    words = (
        f"This is the mail system at {DOMAIN}.\n\nYour message could not be delivered to\n\n"
        f"  <{address}>: {code} {reason}\n\nIt will not be tried again.\n"
    )
    status = (
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: {code.split()[1]}\n"
        f"Diagnostic-Code: smtp; {code} {reason}\n"
    )
    return when, _report(when, "Undelivered mail returned to sender", words, status, original)


def _delayed(now: datetime) -> tuple[datetime, bytes]:
    when = moment(now, 36, "18:10", MAILER)
    original = Letter(
        sender=PEOPLE["ada"],
        to=[PEOPLE["layla"]],
        subject="Tiles",
        when=when - timedelta(hours=4),
        text="Dear Layla,\n\nblue, please.\n\nAda\n",
    )
    address = PEOPLE["layla"].address
    words = f"Your message to <{address}> is delayed. It will be tried for 5 days. Nothing to do.\n"
    status = (
        f"Final-Recipient: rfc822; {address}\nAction: delayed\nStatus: 4.4.1\n"
        "Diagnostic-Code: smtp; 421 4.4.1 Connection timed out\n"
    )
    return when, _report(when, "Delayed mail (still being tried)", words, status, original)


def _forwarded(now: datetime) -> tuple[datetime, bytes]:
    """A message in a message in a message."""
    inner = Letter(
        sender=PEOPLE["bo"],
        to=[PEOPLE["joost"]],
        subject="The crane",
        when=moment(now, 107, "10:00", PEOPLE["bo"]),
        text="The crane of the customs house still turns. I have seen it.\n\n/Bo\n",
        files=[png("crane.png", 160, 120, 0x88AACC, 0x554433)],
    )
    middle = Letter(
        sender=PEOPLE["joost"],
        to=[PEOPLE["grace"]],
        subject="Fwd: The crane",
        when=moment(now, 106, "08:30", PEOPLE["joost"]),
        text="You will like this.\n",
        attached=[inner],
    )
    outer = Letter(
        sender=PEOPLE["grace"],
        to=[PEOPLE["ada"]],
        subject="Fwd: Fwd: The crane",
        when=moment(now, 106, "09:05", PEOPLE["grace"]),
        text="Bo says it turns. If the crane turns, the archive can hang from it.\n",
        attached=[middle],
    )
    return outer.when, outer.render()


def _flowed(now: datetime) -> tuple[datetime, bytes]:
    """Text whose lines a reader may join (RFC 3676)."""
    person = PEOPLE["sam"]
    when = moment(now, 41, "21:15", person)
    return when, _raw(f"""Date: {format_datetime(when)}
From: {person.name} <{person.address}>
To: {ADA.name} <{ADA.address}>
Subject: A paragraph that flows
Message-ID: <flowed.{when:%Y%m%d}@{person.domain}>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8; format=flowed; delsp=no

This is one long paragraph. My mail program breaks it for the old ones, \n\
and yours may put it together again, so that it fills the window you are \n\
reading it in, however wide that is.

>> And how does it quote?
> Like this, each level with its own mark, even when a quoted line is too \n\
> long for one line.

Neat, isn't it?

--\x20
Sam
""")


def _signed(now: datetime) -> tuple[datetime, bytes]:
    person = PEOPLE["marta"]
    when = moment(now, 110, "16:00", person)
    return when, _raw(f"""Date: {format_datetime(when)}
From: {person.name} <{person.address}>
To: {ADA.name} <{ADA.address}>
Subject: Certified copy of the lease
Message-ID: <signed.{when:%Y%m%d}@{person.domain}>
MIME-Version: 1.0
Content-Type: multipart/signed; micalg=pgp-sha256;
 protocol="application/pgp-signature"; boundary="=_signed"

--=_signed
Content-Type: text/plain; charset=us-ascii

The original is in the safe. This message is signed, so that you can tell.

Marta Kowalska
--=_signed
Content-Type: application/pgp-signature; name="signature.asc"

-----BEGIN PGP SIGNATURE-----

VGhpcyBpcyBub3QgYSBzaWduYXR1cmUsIG9ubHkgdGhlIHBsYWNlIGZvciBvbmUu
-----END PGP SIGNATURE-----
--=_signed--
""")


def _attachments(now: datetime) -> tuple[datetime, bytes]:
    """Names that need RFC 2231, an empty file, and one called like the folder it came from."""
    letter = Letter(
        sender=PEOPLE["meiling"],
        to=[PEOPLE["ada"]],
        subject="Drawings, tables, and one empty file",
        when=moment(now, 59, "04:10", PEOPLE["meiling"]),
        text="Ada,\n\neverything in one message. The empty file is empty on purpose: it is the "
        "schedule.\n\n美玲\n",
        files=[
            pdf("榫卯节点 详图.pdf", "Joints", ["Scale 1:5"]),
            table("Größen & Gewichte (2).csv", [["Teil", "kg"], ["Balken", 118]]),
            png("../elevation.png", 200, 120, 0xAACCEE, 0x446644),
            File("schedule.txt", "application/octet-stream", b""),
            File("a" * 180 + ".bin", "application/octet-stream", bytes(range(256)) * 8),
        ],
    )
    return letter.when, letter.render()


def _html_only(now: datetime) -> tuple[datetime, bytes]:
    """HTML as people's programs write it, with what a reader must not run."""
    letter = Letter(
        sender=PEOPLE["robin"],
        to=[PEOPLE["ada"]],
        subject="Hydrant plan",
        when=moment(now, 81, "13:13", PEOPLE["robin"]),
        html="""<html><head><title>x</title>
<style>body { font-size: 40px } .h { color: red }</style>
<script>document.title = "no"</script></head>
<body onload="alert('no')"><p class=h>Ada,<p>the hydrant is <b>here</b>:
<table border=1><tr><td>quay<td>&rarr;<td>gate<td>&rarr;<td><b>hydrant</b></table>
<p>Not under the bench. <a href="javascript:alert('no')">Never</a> under
<a href="https://bench.example/">the bench</a>.
<img src="https://pixel.achterberg.example/open?ada" width=1 height=1>
<form action="https://form.achterberg.example/"><input name=q><button>Send</button></form>
<p>Robin</body></html>
""",
    )
    return letter.when, letter.render()


def _no_subject(now: datetime) -> tuple[datetime, bytes]:
    letter = Letter(
        sender=PEOPLE["ingrid"],
        to=[PEOPLE["ada"]],
        subject="",
        when=moment(now, 3, "20:31", PEOPLE["ingrid"]),
        text="ring me when you can, nothing is wrong\n",
    )
    return letter.when, letter.render()


def _broken_boundary(now: datetime) -> tuple[datetime, bytes]:
    """A multipart that never ends, with a part that is not what it says."""
    person = PEOPLE["bo"]
    when = moment(now, 121, "17:45", person)
    return when, _raw(f"""Date: {format_datetime(when)}
From: {person.name} <{person.address}>
To: {ADA.address}
Subject: Photo from the fuse box
Message-ID: <fusebox.{when:%Y%m%d}@{person.domain}>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="broken

--broken
Content-Type: text/plain; charset=utf-8

My phone stopped half way. The label says 16 A, the wire says otherwise.

--broken
Content-Type: image/jpeg; name="fusebox.jpg"
Content-Transfer-Encoding: base64

/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgG
BgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQEw8QEB""")


def _broken_headers(now: datetime) -> tuple[datetime, bytes]:
    """No Date a program can read, two From fields, a line that is no header."""
    when = moment(now, 133, "12:00", PEOPLE["dev"])
    return when, _raw("""From: "scanner, 2nd floor <scanner@studio-nas.example>
From: scanner@studio-nas.example
To: undisclosed-recipients:;
Date: 31.02. 25:61
Subject: =?utf-8?Q?Scan_vom_Ger=C3=A4t_=E2=80=93_Seite_1?= =?utf-8?B?w7xi?=
this line is no header
Content-Type: text/plain; charset="x-unknown-scanner"

1 page scanned. Toner low.
""")


def _wrong_charset(now: datetime) -> tuple[datetime, bytes]:
    """Says ASCII, is not; a subject of raw bytes."""
    person = PEOPLE["juergen"]
    when = moment(now, 79, "11:11", person)
    return when, _raw(
        f"""Date: {format_datetime(when)}
From: {person.address}
To: {ADA.address}
Subject: Zählerstand übermitteln
Message-ID: <meter.{when:%Y%m%d}@{person.domain}>
Content-Type: text/plain; charset=us-ascii

Bitte übermitteln Sie den Zählerstand für Kai 7.
""",
        "iso-8859-1",
    )


def _drafts(now: datetime) -> Iterator[Letter]:
    ada = PEOPLE["ada"]
    yield Letter(
        sender=ada,
        to=[PEOPLE["tomas"]],
        subject="Two paragraphs about the roof",
        when=moment(now, 0, "08:15", ada),
        text="Dear Tomás,\n\nthe roof is folded like a letter. Rain runs down the folds to the "
        "quay, and\n",
    )
    yield Letter(
        sender=ada,
        to=[PEOPLE["nils"]],
        subject="The garboards",
        when=moment(now, 39, "22:50", ada),
        text="Nils,\n\nI went to look at her again. She\n",
    )
    yield Letter(
        sender=ada,
        to=[],
        subject="List for September",
        when=moment(now, 18, "07:10", ada),
        text="- the small yellow tomatoes\n- new number to everyone\n- tram card\n",
    )
