"""Receipts, invoices and the notices of machines: what fills a mailbox between letters."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape

from infra.dev.demo import ADA, GRACE
from infra.dev.demo.seed.files import pdf
from infra.dev.demo.seed.letter import FLAGGED, SEEN, Letter, Planted, moment
from infra.dev.demo.seed.people import PEOPLE, Person

POWER = Person("Stadtwerke Kundenservice", "rechnung@stadtwerke.example", 1)
HOSTING = Person("Quayside Hosting", "billing@quayside-hosting.example", 0)
RAIL = Person("Coastal Rail", "tickets@coastal-rail.example", 1)
GROCER = Person("Green Crate", "orders@green-crate.example", 1)
FORGE = Person("Forge", "notifications@forge.example", 0)
BACKUP = Person("backup on studio-nas", "root@studio-nas.example", 1)
PARCEL = Person("Parcel Post", "track@parcel-post.example", 1)
LIBRARY = Person("Town Library", "loans@town-library.example", 1)
SECURITY = Person("Postbox Security", "security@quayside-hosting.example", 0)

JOURNEYS = (
    "North Quay - Capital Central",
    "Capital Central - North Quay",
    "North Quay - Saltfield",
    "Saltfield - North Quay",
)
CRATES = (
    (("Potatoes, 2 kg", 3.20), ("Leeks", 2.10), ("Eggs, ten", 4.30), ("Rye bread", 4.80)),
    (("Asparagus, 1 kg", 12.90), ("Strawberries", 5.50), ("Butter", 2.60)),
    (("Tomatoes, 2 kg", 7.40), ("Basil", 1.90), ("Mozzarella", 3.30), ("Peaches", 4.90)),
    (("Pumpkin", 4.20), ("Apples, 3 kg", 6.60), ("Walnuts", 7.10), ("Milk, 2 l", 2.80)),
)
CHANGES = (
    (
        "roof: snow load of the valley after EN 1991-1-3",
        "priya",
        "Numbers agree with mine to the third digit. Approved.",
    ),
    (
        "facade: sequence from the landward side",
        "joost",
        "Boards B12 to B18 are listed twice, see sheet 4.",
    ),
    ("lamps: cable leaves on the left", "grace", "Finally. Merge it before somebody drills."),
    ("exhibition: panel 6 in Japanese", "yuki", "橋と箸 stays. Thank you!"),
    ("stairs: going 290 instead of 280", "robin", "Better. Please update the handrail as well."),
    ("model: clean up layers before the tender", "dev", "Down from 412 layers to 37. I wept."),
)
BOOKS = (
    "The Salt Roads",
    "A History of the Pencil",
    "Letters from a Lighthouse",
    "Joinery by Hand",
    "Poems for Short Evenings",
)


def paperwork(now: datetime) -> Iterator[Planted]:
    for month in range(18):
        yield _planted(_power(now, month), "Archive" if month else "INBOX", new=not month)
        yield _planted(_hosting(now, month), "Archive" if month else "INBOX", new=False)
    for trip in range(14):
        yield _planted(_rail(now, trip), "INBOX" if trip < 2 else "Archive", new=False)
    for crate in range(16):
        yield _planted(_grocer(now, crate), "INBOX" if crate < 2 else "Archive", new=False)
    for number in range(30):
        yield _planted(_forge(now, number), "INBOX" if number < 9 else "Archive", new=number < 3)
    for week in range(16):
        yield _planted(_backup(now, week), "Archive", new=False)
    for number in range(8):
        yield _planted(_parcel(now, number), "INBOX" if number < 3 else "Trash", new=number == 0)
        yield _planted(_loan(now, number), "INBOX" if number < 2 else "Archive", new=False)
    for number, (days, place) in enumerate(
        ((12, "Capital Central"), (190, "Porto"), (402, "home"))
    ):
        letter = _sign_in(now, days, place)
        yield _planted(letter, "INBOX", new=False, flagged=number == 0)


def _planted(letter: Letter, mailbox: str, *, new: bool, flagged: bool = False) -> Planted:
    owner = GRACE if letter.to[0] == PEOPLE["grace"] else ADA
    flags = {SEEN} - ({SEEN} if new else set()) | ({FLAGGED} if flagged else set())
    return Planted(
        owner=owner.address,
        mailbox=mailbox,
        raw=letter.render(),
        received_at=letter.when,
        flags=frozenset(flags),
    )


def _power(now: datetime, month: int) -> Letter:
    when = moment(now, 30 * month + 4, "09:00", POWER)
    used = 310 + 90 * ((when.month + 2) % 12 < 6) + 7 * month % 40
    amount = f"{used * 0.31:.2f}".replace(".", ",")
    number = f"{when:%Y%m}-004711"
    text = f"""Sehr geehrte Frau Lindqvist,

im Anhang finden Sie Ihre Rechnung {number} für die Büroräume am Kai 7.

    Verbrauch:   {used} kWh
    Betrag:      {amount} EUR
    Fällig am:   {when + timedelta(days=14):%d.%m.%Y}

Der Betrag wird von Ihrem Konto abgebucht. Sie müssen nichts weiter tun.

Mit freundlichen Grüßen
Ihre Stadtwerke
"""
    lines = [
        f"Rechnung {number}",
        "",
        f"Verbrauch {used} kWh",
        f"Betrag {amount} EUR",
        "Kai 7, Büro",
    ]
    return Letter(
        sender=POWER,
        to=[PEOPLE["ada"]],
        subject=f"Ihre Stromrechnung für {when:%m/%Y}",
        when=when,
        text=text,
        files=[pdf(f"Rechnung_{number}.pdf", "Stadtwerke", lines)],
    )


def _hosting(now: datetime, month: int) -> Letter:
    when = moment(now, 30 * month + 9, "02:15", HOSTING)
    number = 88120 - month
    return Letter(
        sender=HOSTING,
        to=[PEOPLE["ada"]],
        subject=f"Receipt #{number} from Quayside Hosting",
        when=when,
        text=f"Thank you. We have charged 24.00 EUR for {when:%B %Y}.\n\nReceipt #{number}\n",
        html=_receipt(
            f"Receipt #{number}",
            [("Small server, one month", 19.0), ("Backups", 5.0)],
            "Quayside Hosting",
        ),
        files=[pdf(f"receipt-{number}.pdf", f"Receipt #{number}", ["Total 24.00 EUR", "Paid"])],
    )


def _rail(now: datetime, trip: int) -> Letter:
    when = moment(now, 38 * trip + 11, "18:20", RAIL)
    journey = JOURNEYS[trip % len(JOURNEYS)]
    travel = when + timedelta(days=6)
    seat = f"coach {3 + trip % 5}, seat {12 + 7 * trip % 60}"
    code = f"CR{7_400_000 + 1931 * trip}"
    text = f"""Your ticket for {travel:%A, %d %B %Y}

  {journey}
  dep. {6 + trip % 4:02}:42   {seat}
  Booking {code}

Show the attached ticket on paper or on a screen. Have a good journey.
"""
    return Letter(
        sender=RAIL,
        to=[PEOPLE["ada"]],
        subject=f"Your ticket {code}: {journey}",
        when=when,
        text=text,
        files=[
            pdf(f"ticket-{code}.pdf", "Coastal Rail", [journey, f"{travel:%d.%m.%Y}", seat, code])
        ],
    )


def _grocer(now: datetime, crate: int) -> Letter:
    when = moment(now, 33 * crate + 2, "20:05", GROCER)
    items = CRATES[(when.month - 1) // 3]
    total = sum(price for _, price in items)
    order = 50911 - 17 * crate
    listed = "\n".join(f"  {name:<20}{price:>8.2f}" for name, price in items)
    return Letter(
        sender=GROCER,
        to=[PEOPLE["ada"]],
        subject=f"Your crate is packed (order {order})",
        when=when,
        text=f"Hello Ada,\n\nyour crate comes tomorrow between 7 and 9:\n\n{listed}\n\n"
        f"  Total{total:>23.2f} EUR\n\nGreen Crate\n",
        html=_receipt(f"Order {order}", items, "Green Crate"),
    )


def _forge(now: datetime, number: int) -> Letter:
    title, who, words = CHANGES[number % len(CHANGES)]
    when = moment(now, 2 + 6 * number, f"{8 + number * 5 % 11:02}:{number * 17 % 60:02}", FORGE)
    change = 480 - 3 * number
    author = PEOPLE[who]
    return Letter(
        sender=Person(f"{author.name} (Forge)", FORGE.address, 0),
        to=[PEOPLE["ada"]],
        subject=f"[harbour-library/model] {title} (#{change})",
        when=when,
        text=f"{author.name} commented on #{change}:\n\n{words}\n\n-- \n"
        f"https://forge.example/harbour-library/model/changes/{change}\n",
        headers={
            "List-Id": "harbour-library/model <model.harbour-library.forge.example>",
            "X-Forge-Reason": "mention" if number % 3 == 0 else "subscribed",
            "Auto-Submitted": "auto-generated",
        },
    )


def _backup(now: datetime, week: int) -> Letter:
    when = moment(now, 7 * week + 2, "03:30", BACKUP)
    failed = week == 5
    state = "FAILED: volume 2 is full" if failed else "OK"
    return Letter(
        sender=BACKUP,
        to=[PEOPLE["ada"]],
        subject=f"backup {when:%G-W%V}: {state}",
        when=when,
        text=f"start   03:00:02\nend     03:29:{41 - week}\nfiles   {48_211 - 340 * week}\n"
        f"changed {412 + 31 * week % 200}\nresult  {state}\n",
        headers={"Auto-Submitted": "auto-generated"},
    )


def _parcel(now: datetime, number: int) -> Letter:
    when = moment(now, 1 + 29 * number, "11:50", PARCEL)
    code = f"PP{931_774_002 - 8_861 * number}EX"
    return Letter(
        sender=PARCEL,
        to=[PEOPLE["ada"]],
        subject=f"Parcel {code} comes tomorrow",
        when=when,
        text=f"Your parcel {code} will be brought tomorrow between 10 and 14 h.\n"
        f"Nobody home? https://parcel-post.example/{code}\n",
    )


def _loan(now: datetime, number: int) -> Letter:
    when = moment(now, 16 + 55 * number, "07:00", LIBRARY)
    book = BOOKS[number % len(BOOKS)]
    return Letter(
        sender=LIBRARY,
        to=[PEOPLE["ada"]],
        subject=f"Due in three days: {book}",
        when=when,
        text=f"Dear reader,\n\n“{book}” is due on {when + timedelta(days=3):%d %B}."
        "\nNobody is waiting for it: answer this message with the word RENEW to keep it.\n",
    )


def _sign_in(now: datetime, days: int, place: str) -> Letter:
    when = moment(now, days, "22:41", SECURITY)
    return Letter(
        sender=SECURITY,
        to=[PEOPLE["ada"]],
        subject="New sign-in to your account",
        when=when,
        text=f"Somebody signed in with your password near {place} at {when:%H:%M}.\n\n"
        "Was it you? Then there is nothing to do. If not, change your password now.\n",
        headers={"Auto-Submitted": "auto-generated", "Importance": "high"},
    )


def _receipt(
    title: str, items: list[tuple[str, float]] | tuple[tuple[str, float], ...], who: str
) -> str:
    rows = "".join(
        f'<tr><td style="padding: 6px; border-bottom: 1px solid #eee">{escape(name)}</td>'
        f'<td style="padding: 6px; border-bottom: 1px solid #eee; text-align: right">'
        f"{price:.2f}</td></tr>"
        for name, price in items
    )
    total = sum(price for _, price in items)
    return f"""<html><body style="font-family: sans-serif; color: #333">
<h2>{escape(title)}</h2><table width="420" cellspacing="0">{rows}
<tr><td style="padding: 6px"><b>Total</b></td>
<td align="right" style="padding: 6px"><b>{total:.2f} EUR</b></td></tr></table>
<p style="color: #999; font-size: 12px">{escape(who)}</p></body></html>
"""
