"""The language of searches, beyond words: where, when, what it has, and in whose time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.indexer.domain.span import read_span
from shared.contracts.content import Invitation
from shared.contracts.ids import Kind, shown
from shared.contracts.search import Condition, NamedAccount, NamedMailbox
from tests.indexer.mail import ACCOUNT, MAILBOX, a_change, a_message, a_page

OTHER_ACCOUNT = UUID("0190a000-0000-7000-8000-00000000000f")
SENT, PROJECTS, ROOF = uuid4(), uuid4(), uuid4()
ACCOUNTS = (
    NamedAccount(account_id=ACCOUNT, name="Work", email="ann@example.com"),
    NamedAccount(account_id=OTHER_ACCOUNT, name="Home", email="ann@home.example"),
)
MAILBOXES = (
    NamedMailbox(mailbox_id=MAILBOX, account_id=ACCOUNT, path="INBOX", role="inbox"),
    NamedMailbox(mailbox_id=SENT, account_id=ACCOUNT, path="Gesendet", role="sent"),
    NamedMailbox(
        mailbox_id=PROJECTS, account_id=ACCOUNT, path="Projects", delimiter=".", role=None
    ),
    NamedMailbox(
        mailbox_id=ROOF, account_id=ACCOUNT, path="Projects.The Roof", delimiter=".", role=None
    ),
)


async def finds(indexer, text, **more):
    both = (ACCOUNT, OTHER_ACCOUNT)
    answer = await indexer.asks(text, accounts=both, named=ACCOUNTS, mailboxes=MAILBOXES, **more)
    assert answer.problem is None, answer.problem
    return [found.message_id for found in answer.found]


async def test_mail_is_found_by_where_it_is_by_role_name_path_and_tree(indexer):
    inbox = a_message("lunch", minutes=3)
    sent = a_message("lunch", mailbox_id=SENT, minutes=2)
    project = a_message("lunch", mailbox_id=PROJECTS, minutes=1)
    roof = a_message("lunch roof", mailbox_id=ROOF, minutes=0)
    await indexer.hears(a_page(inbox, sent, project, roof))
    ids = [one.message_id for one in (inbox, sent, project, roof)]
    for query, expected in {
        "in:inbox": ids[:1],
        "in:sent lunch": ids[1:2],
        "in:gesendet": ids[1:2],
        "in:Projects": ids[2:3],
        'in:"the roof"': ids[3:],
        'in:"projects/the roof"': ids[3:],
        "in:projects/*": ids[2:],
        "in:anywhere": ids,
        "in:trash": [],
        "-in:sent": [ids[0], *ids[2:]],
        "in:inbox OR in:sent": ids[:2],
        "-(in:sent roof)": ids,
        "in:inbox in:sent": [],
        "in:projects/* lunch -roof": ids[2:3],
    }.items():
        assert await finds(indexer, query) == expected, query
    await indexer.hears(a_change(inbox.message_id, 9, mailbox_id=SENT))
    assert await finds(indexer, "in:sent") == ids[:2]


async def test_mail_is_found_by_its_account_thread_and_label(indexer):
    thread = uuid4()
    mine = a_message("lunch", thread_id=thread, labels=["Family Trip", "\\Important"], minutes=2)
    reply = a_message("re: lunch", thread_id=thread, keywords=["Work"], minutes=1)
    home = a_message("lunch", minutes=0)
    await indexer.hears(a_page(mine, reply), a_page(home, account=OTHER_ACCOUNT))
    ids = [one.message_id for one in (mine, reply, home)]
    for query, expected in {
        "account:work": ids[:2],
        "account:ann@home.example lunch": ids[2:],
        "-account:home": ids[:2],
        f"thread:{shown(Kind.THREAD, thread)}": ids[:2],
        f"thread:{shown(Kind.THREAD, thread)} re": ids[1:2],
        f"-thread:{shown(Kind.THREAD, thread)}": ids[2:],
        'label:"family trip"': ids[:1],
        "label:work": ids[1:2],
        "label:work OR label:\\important": ids[:2],
        "-label:work": [ids[0], ids[2]],
        "label:nothing": [],
    }.items():
        assert await finds(indexer, query) == expected, query


async def test_mail_is_found_by_what_it_has(indexer):
    pdf = a_message("a", files=["Offer.PDF"], minutes=3)
    photo = a_message("a", files=["holiday"], types=["image/jpeg"], minutes=2)
    sheet = a_message("a", files=["numbers.xlsx", "all.zip"], minutes=1)
    invitation = a_message("a", invitation=Invitation(method="request"), minutes=0)
    await indexer.hears(a_page(pdf, photo, sheet, invitation))
    ids = [one.message_id for one in (pdf, photo, sheet, invitation)]
    for query, expected in {
        "has:attachment": ids[:3],
        "has:pdf": ids[:1],
        "has:image": ids[1:2],
        "has:spreadsheet has:archive": ids[2:3],
        "has:invitation": ids[3:],
        "has:pdf OR has:invitation": [ids[0], ids[3]],
        "-has:attachment": ids[3:],
    }.items():
        assert await finds(indexer, query) == expected, query


async def test_me_is_whoever_asks(indexer):
    wrote = a_message("x", sender="Ann <ann@home.example>", to=["Bob <bob@b.example>"], minutes=1)
    got = a_message("x", sender="Bob <bob@b.example>", to=["Ann <ann@example.com>"])
    await indexer.hears(a_page(wrote, got))
    assert await finds(indexer, "from:me") == [wrote.message_id]
    assert await finds(indexer, "to:me") == [got.message_id]
    assert await finds(indexer, "with:bob") == [wrote.message_id, got.message_id]
    assert (await indexer.asks("from:me")).found == ()


async def test_days_are_those_of_who_asks(indexer):
    late = a_message("x", minutes=11 * 60 + 30)  # 2026-03-01 23:30 in UTC
    await indexer.hears(a_page(late))
    assert await finds(indexer, "on:2026-03-01") == [late.message_id]
    assert await finds(indexer, "on:2026-03-02", time_zone="Europe/Berlin") == [late.message_id]
    assert await finds(indexer, "before:2026-03-02", time_zone="Europe/Berlin") == []
    assert await finds(indexer, "after:2026-03-02", time_zone="America/New_York") == []
    answer = await indexer.asks("x", time_zone="Middle/Earth")
    assert answer.problem.code == "query_invalid"


NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "begin", "lasts"),
    [
        ("2026-02-28", datetime(2026, 2, 28, tzinfo=UTC), DAY),
        ("2026/2/8", datetime(2026, 2, 8, tzinfo=UTC), DAY),
        ("2026-02", datetime(2026, 2, 1, tzinfo=UTC), 28 * DAY),
        ("2025", datetime(2025, 1, 1, tzinfo=UTC), 365 * DAY),
        ("today", datetime(2026, 3, 4, tzinfo=UTC), DAY),
        ("Yesterday", datetime(2026, 3, 3, tzinfo=UTC), DAY),
        ("wednesday", datetime(2026, 3, 4, tzinfo=UTC), DAY),
        ("thu", datetime(2026, 2, 26, tzinfo=UTC), DAY),
        ("2026-03-01T10:00", datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(seconds=1)),
        ("2026-03-01T10:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC), timedelta(seconds=1)),
        ("1772359200", datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(seconds=1)),
    ],
)
def test_a_date_is_read_as_people_write_it(text, begin, lasts):
    span = read_span(text, NOW, UTC)
    assert span is not None
    assert (span.begin, span.end - span.begin) == (begin, lasts)


@pytest.mark.parametrize("text", ["2026-02-30", "0000", "9999-13", "someday", "", "2026-1-1-1"])
def test_what_is_no_date_is_none(text):
    assert read_span(text, NOW, UTC) is None


@pytest.mark.parametrize("text", ["9999", "9999-12", "9999-12-31", "0001", "99999y"])
def test_dates_at_the_ends_of_the_calendar_are_dates(text):
    span = read_span(text, NOW, UTC)
    assert span is not None
    assert span.begin < span.end


async def test_sizes_have_units(indexer):
    small = a_message("x", size_bytes=600_000, minutes=1)
    large = a_message("x", size_bytes=2_000_000)
    await indexer.hears(a_page(small, large))
    assert await finds(indexer, "larger:1.5M") == [large.message_id]
    assert await finds(indexer, "smaller:700kb") == [small.message_id]
    assert await finds(indexer, "larger:600000b") == [large.message_id]


@pytest.mark.parametrize(
    ("written", "queries"),
    [
        ("my e-mail today", ["e-mail", "email", '"e mail"', '"my e-mail today"', "emai*", "e-ma*"]),
        ("an email today", ["e-mail", "email", '"an e-mail"']),
        ("state-of-the-art", ["stateoftheart", "state-of-the-art", "art", '"of the"']),
        ("call 555-1234", ["5551234", "555-1234"]),
        ("Straße-Ost née", ["strasseost", "straße-ost", "ost"]),
        ("mail‐server", ["mailserver", "mail-server"]),
    ],
)
async def test_hyphenated_words_are_found_both_ways(indexer, written, queries):
    message = a_message("x", written)
    await indexer.hears(a_page(message, a_message("x", "e then mail, state and arts")))
    for query in queries:
        assert await finds(indexer, query) == [message.message_id], query


async def test_file_names_are_found_by_the_words_that_capitals_keep_apart(indexer):
    message = a_message("x", files=["QuarterlyReport2026.pdf", "IMG_0042.HEIC"])
    await indexer.hears(a_page(message))
    for query in [
        "filename:quarterly",
        "report",
        "filename:2026",
        "filename:QuarterlyReport",
        "filename:0042",
        "filename:quarterlyreport2026.pdf",
        "filename:*.pdf",
    ]:
        assert await finds(indexer, query) == [message.message_id], query


async def test_urls_are_found_by_host(indexer):
    message = a_message("x", "see https://docs.example.org:8080/guide-book?x=1#top now")
    await indexer.hears(a_page(message))
    for query in ["docs.example.org", "example.org", "guide-book", "https://docs.example.org"]:
        assert await finds(indexer, query) == [message.message_id], query


def test_a_query_is_explained_term_by_term_and_as_json(indexer):
    said = indexer.explains(
        'from:ada (lunch OR "roof party") -in:sent after:2026-03-02 larger:1M',
        time_zone="Europe/Berlin",
        mailboxes=MAILBOXES,
    )
    assert said.problem is None
    assert [(term.position, term.meaning) for term in said.terms] == [
        (0, "“ada” in from"),
        (10, "“lunch”"),
        (19, "“roof party”"),
        (34, "in Gesendet"),
        (42, "received at or after 2026-03-02T00:00+01:00"),
        (59, "larger than 1048576 bytes"),
    ]
    again = indexer.explains(condition=said.condition, mailboxes=MAILBOXES)
    assert again.condition == said.condition
    assert again.terms[2].pointer == "/all/1/any/1"


async def test_json_finds_what_the_same_line_of_text_finds(indexer):
    one = a_message("lunch", "roof party", keywords=["\\Seen"], minutes=1)
    two = a_message("lunch", "party on the roof")
    await indexer.hears(a_page(one, two))
    for text in ['lunch "roof party"', "lunch (is:unread OR party)", "-is:read", "par* -is:unread"]:
        condition = indexer.explains(text).condition
        assert await finds(indexer, "", condition=condition) == await finds(indexer, text), text
    everything = Condition(value="roof party")
    assert len(await finds(indexer, "", condition=everything)) == 2


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        (Condition(), ""),
        (Condition(all=()), "/all"),
        (Condition(operator="form", value="ada"), "/operator"),
        (Condition(operator="is", value="green"), "/value"),
        (Condition(all=(Condition(value="x"), Condition(value="!!"))), "/all/1/value"),
        (Condition(not_=Condition(operator="before", value="someday")), "/not/value"),
        (Condition(value="x", all=(Condition(value="y"),)), ""),
        (Condition(operator="in", value="nowhere"), "/value"),
    ],
)
def test_what_is_wrong_with_json_is_said_with_its_pointer(indexer, condition, pointer):
    problem = indexer.explains(condition=condition).problem
    assert (problem.code, problem.pointer) == ("query_invalid", pointer)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("lunch in:nowhere", 9),
        ("account:nobody", 8),
        ("thread:xyz", 7),
        ("has:cheese", 4),
        ("on:someday", 3),
        ("larger:big", 7),
        ("from:(in:inbox)", 6),
    ],
)
def test_what_is_wrong_with_a_term_is_said_where_it_stands(indexer, text, position):
    problem = indexer.explains(text, accounts=ACCOUNTS, mailboxes=MAILBOXES).problem
    assert (problem.code, problem.position) == ("query_invalid", position)
