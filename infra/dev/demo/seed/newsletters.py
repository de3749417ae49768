"""Newsletters of the demo: HTML with tables, pictures from elsewhere, and a way to leave."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape

from infra.dev.demo import ADA, GRACE
from infra.dev.demo.seed.files import png
from infra.dev.demo.seed.letter import SEEN, Letter, Planted, moment
from infra.dev.demo.seed.people import PEOPLE, Person

KITCHEN = Person("The Slow Kitchen", "letter@slow-kitchen.example", 1)
TYPE = Person("Type & Grid", "hello@type-and-grid.example", 0)
TOWN = Person("Harbour Town Weekly", "news@harbour-town.example", 1)

# Title, what it is about, three ingredients; one per fortnight, round the year.
RECIPES = (
    (
        "Potato soup with too much marjoram",
        "The pot does the work while you read.",
        "potatoes, marjoram, a bay leaf",
    ),
    (
        "Blood oranges, fennel, olives",
        "Winter's only salad, and the best one.",
        "blood oranges, fennel, black olives",
    ),
    ("Rye bread in a tin", "No kneading, no hurry, eighteen hours.", "rye flour, water, patience"),
    (
        "Leeks under a blanket",
        "Cream, nutmeg and a crust that cracks.",
        "leeks, cream, breadcrumbs",
    ),
    (
        "Wild garlic dumplings",
        "Three weeks a year. Use all of them.",
        "wild garlic, curd, semolina",
    ),
    ("Rhubarb, the sharp way", "Half the sugar, twice the ginger.", "rhubarb, ginger, honey"),
    ("Asparagus without ceremony", "A pan, a lid, seven minutes.", "asparagus, butter, lemon"),
    (
        "Peas and their pods",
        "The pods make the broth. Nothing is lost.",
        "peas, mint, spring onions",
    ),
    (
        "Cold cucumber soup",
        "For the evening when nobody wants to cook.",
        "cucumbers, yoghurt, dill",
    ),
    (
        "Grilled mackerel, gooseberries",
        "Fat fish, sour fruit, black bread.",
        "mackerel, gooseberries, bread",
    ),
    ("Tomatoes, only tomatoes", "The one rule: never in the fridge.", "tomatoes, salt, good oil"),
    ("Plum cake from the tray", "For twelve people or for two days.", "plums, yeast, cinnamon"),
    (
        "Mushrooms on toast",
        "What the forest had, what the baker left.",
        "mushrooms, thyme, sourdough",
    ),
    (
        "Pumpkin with miso and sage",
        "Two kitchens that should have met earlier.",
        "pumpkin, miso, sage",
    ),
    (
        "Red cabbage, three days",
        "Better on the second, best on the third.",
        "red cabbage, apples, cloves",
    ),
    ("Gingerbread that keeps", "Bake now, hide it from yourself.", "honey, rye, seven spices"),
)

FACES = ("Merriweather", "Spectral", "Cormorant", "Alegreya", "Vollkorn", "Literata", "Gelasio",
         "Source Serif", "Crimson", "Newsreader", "Fraunces", "Piazzolla")  # fmt: skip

TOPICS = (
    "Ferry timetable changes on the 1st",
    "New bench at the lighthouse, by the people who sit on it",
    "The swimming pool opens a week early",
    "Herring market moves to the north quay",
    "Road works in Rope Street until Friday",
    "Library: scaffold comes down floor by floor",
    "Choir seeks basses, again",
    "Council votes on the crane: it stays",
    "Seal on the slipway, please leave it alone",
    "Lost: one tuba, sentimental value",
)

KITCHEN_SHELF = "Küche & Garten"

STYLE = "font-family: Helvetica, Arial, sans-serif; color: #222; margin: 0; padding: 0"


def newsletters(now: datetime) -> Iterator[Planted]:
    for fortnight in range(39):
        yield _planted(
            _kitchen(now, fortnight), "INBOX" if fortnight < 2 else KITCHEN_SHELF, fortnight
        )
    for month in range(18):
        yield _planted(_type(now, month), "INBOX" if month < 3 else "Archive", month)
    for week in range(24):
        letter = _town(now, week)
        yield _planted(letter, "INBOX" if week < 5 else "Archive", week)
        yield Planted(
            owner=GRACE.address, mailbox="INBOX", raw=letter.render(), received_at=letter.when
        )


def _planted(letter: Letter, mailbox: str, age: int) -> Planted:
    return Planted(
        owner=ADA.address,
        mailbox=mailbox,
        raw=letter.render(),
        received_at=letter.when,
        flags=frozenset({SEEN} if age > 1 else ()),
    )


def _headers(sender: Person) -> dict[str, str]:
    leave = f"https://{sender.domain}/leave?reader=ada"
    return {
        "List-Id": f"{sender.name} <letter.{sender.domain}>",
        "List-Unsubscribe": f"<{leave}>, <mailto:leave@{sender.domain}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Precedence": "bulk",
    }


def _kitchen(now: datetime, fortnight: int) -> Letter:
    when = moment(now, 14 * fortnight + 3, "06:30", KITCHEN)
    season = (when.timetuple().tm_yday * len(RECIPES)) // 367
    title, line, ingredients = RECIPES[season]
    items = "".join(f"<li>{escape(each)}</li>" for each in ingredients.split(", "))
    number = 212 - fortnight
    picture = png("plate.png", 280, 120, 0xE9DCC3, 0xB5651D, inline=True)
    html = f"""<!DOCTYPE html>
<html><body style="{STYLE}; background: #faf6ef">
<table width="100%" cellpadding="0" cellspacing="0" role="presentation"><tr><td align="center">
<table width="560" cellpadding="24" cellspacing="0" style="background: #fff; margin: 24px 0">
<tr><td style="border-bottom: 3px solid #b5651d">
  <h1 style="font-family: Georgia, serif; margin: 0">The Slow Kitchen</h1>
  <p style="color: #888; margin: 4px 0 0">Letter no. {number}</p></td></tr>
<tr><td>
  <img src="cid:plate.png" width="280" height="120" alt="A plate by the window">
  <h2 style="font-family: Georgia, serif">{escape(title)}</h2>
  <p>{escape(line)}</p>
  <p><b>You need</b></p><ul>{items}</ul>
  <p>The whole recipe, with the mistakes I made, is <a href="https://slow-kitchen.example/{number}">on
  the page of letter {number}</a>.</p></td></tr>
<tr><td style="font-size: 12px; color: #888">
  You read this because you asked for it. <a href="https://slow-kitchen.example/leave?reader=ada">Stop
  asking</a>.<img src="https://open.slow-kitchen.example/{number}.gif" width="1" height="1" alt="">
</td></tr></table></td></tr></table></body></html>
"""
    text = (
        f"{title}\n\n{line}\n\nYou need: {ingredients}.\n\nhttps://slow-kitchen.example/{number}\n"
    )
    return Letter(
        sender=KITCHEN,
        to=[PEOPLE["ada"]],
        subject=f"No. {number}: {title}",
        when=when,
        text=text,
        html=html,
        files=[picture],
        headers=_headers(KITCHEN),
    )


def _type(now: datetime, month: int) -> Letter:
    when = moment(now, 30 * month + 6, "15:00", TYPE)
    faces = [FACES[(month * 3 + n) % len(FACES)] for n in range(4)]
    rows = "".join(
        f'<tr style="background: {"#f4f4f4" if n % 2 else "#fff"}"><td style="padding: 8px">'
        f'<b>{face}</b></td><td style="padding: 8px">{9 + n + month % 3} pt</td>'
        f'<td style="padding: 8px" align="right">{120 + 7 * n} %</td></tr>'
        for n, face in enumerate(faces)
    )
    html = f"""<!DOCTYPE html>
<html><head><style>a {{ color: #d0021b }} @media (max-width: 480px) {{ table {{ width: 100% }} }}
</style></head><body style="{STYLE}">
<table width="600" align="center" cellpadding="0" cellspacing="0">
<tr><td style="background: #111; color: #fff; padding: 32px; font-size: 28px">
Type &amp; Grid</td></tr>
<tr><td style="padding: 24px 0"><p>This month: four serif faces that survive being printed on a
wall, set in a paragraph of real text and measured.</p>
<table width="100%" cellspacing="0" style="border: 1px solid #ddd">
<tr style="background: #111; color: #fff"><th align="left" style="padding: 8px">Face</th>
<th align="left" style="padding: 8px">Size</th>
<th align="right" style="padding: 8px">Leading</th></tr>
{rows}</table>
<p><img src="https://images.type-and-grid.example/{when:%Y-%m}/specimen.png" width="600"
height="240" alt="Specimen of {faces[0]}"></p>
<p><a href="https://type-and-grid.example/issues/{when:%Y-%m}">Read on the web</a></p></td></tr>
<tr><td style="color: #999; font-size: 11px; padding: 16px 0">Type &amp; Grid, 4 Compositor Row ·
<a href="https://type-and-grid.example/leave">unsubscribe</a></td></tr></table></body></html>
"""
    return Letter(
        sender=TYPE,
        to=[PEOPLE["ada"]],
        subject=f"{faces[0]}, {faces[1]} and two more that survive a wall",
        when=when,
        html=html,
        headers=_headers(TYPE),
    )


def _town(now: datetime, week: int) -> Letter:
    when = moment(now, 7 * week + 1, "05:45", TOWN)
    topics = [TOPICS[(week * 3 + n) % len(TOPICS)] for n in range(4)]
    monday = when.date() - timedelta(days=when.weekday())
    text = f"Harbour Town Weekly, week of {monday:%d %B %Y}\n\n"
    text += "\n".join(f"* {topic}" for topic in topics)
    text += "\n\nTides: high water at the pilot house 04:12 and 16:40 on Saturday.\n"
    rows = "".join(
        f'<tr><td width="24" valign="top">{n}.</td><td style="padding-bottom: 10px">'
        f'<a href="https://harbour-town.example/{monday:%Y/%W}/{n}">{escape(topic)}</a></td></tr>'
        for n, topic in enumerate(topics, 1)
    )
    html = f"""<html><body style="{STYLE}"><h3 style="color: #0b4f6c">Harbour Town Weekly</h3>
<p>Week of {monday:%d %B %Y}</p><table cellpadding="2">{rows}</table>
<p style="background: #e8f1f5; padding: 10px">High water at the pilot house: Saturday 04:12 and
16:40.</p></body></html>
"""
    return Letter(
        sender=TOWN,
        to=[PEOPLE["ada"], PEOPLE["grace"]],
        subject=topics[0],
        when=when,
        text=text,
        html=html,
        headers=_headers(TOWN),
    )
