from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from shared.contracts.envelope import Caller
from shared.db import tenant_transaction
from tests.indexer.mail import (
    ACCOUNT,
    BEGINNING,
    MAILBOX,
    TENANT,
    a_change,
    a_message,
    a_page,
    gone,
    removed,
)

OTHER_ACCOUNT = UUID("0190a000-0000-7000-8000-00000000000f")


async def test_a_message_is_found_by_words_of_its_subject_people_body_and_files(indexer):
    lunch = a_message(
        "Lunch on Friday",
        "Shall we meet at the canteen?",
        sender="Zoë Brand <zoe@kitchen.example>",
        to=["Max Roth <max@office.example>"],
        files=["weekly-menu.pdf"],
    )
    other = a_message("Something else", "Nothing here")
    await indexer.hears(a_page(lunch, other))

    for query in ["lunch", "FRIDAY canteen", "zoe", "Zoë", "brand", "max@office.example",
                  "office.example", "menu", "weekly-menu.pdf", "lunch max menu",
                  "from:zoe@kit*", "max@office.e*", "to:max@*"]:  # fmt: skip
        assert await indexer.finds(query) == [lunch.message_id], query
    for query in ["lunch else", "from:max@office.e*", "oe@kit*", "max@kit*"]:
        assert await indexer.finds(query) == [], query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Die Straße nach Łódź", "strasse lodz"),
        ("L'ÉCOLE est finie", "ecole"),
        ("ecole", "École"),
        ("Ελλάδος", "ΕΛΛΆΔΟΣ"),
        ("Привет, Ёлка", "привет елка"),
        ("東京都庁へ行く", "東京都"),
        ("東京都庁へ行く", "京都"),
        ("東京都庁へ行く", "庁"),
        ("東京都庁へ行く", "く"),
        ("한국어 메일", "국어"),
        ("สวัสดีครับ", "สวัสดี"),
        ("हिन्दी में लिखा", "हिन्दी"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("ﬁnancial oﬃce", "financial office"),
        ("docu\u00adment", "document"),
        ("שָׁלוֹם", "שלום"),
        ("don't", "don't"),
        ("a_snake_name", "snake"),
        ("see https://docs.example.org/guide?x=1", "docs.example.org"),
    ],
)
async def test_writing_in_any_script_is_found_as_people_type_it(indexer, text, query):
    message = a_message("subject", text)
    await indexer.hears(a_page(message, a_message("unrelated", "words")))
    assert await indexer.finds(query) == [message.message_id]


async def test_unspaced_writing_is_found_in_order_only(indexer):
    await indexer.hears(a_page(a_message("subject", "京東 都京")))
    assert await indexer.finds("東京都") == []


async def test_a_phrase_is_words_next_to_each_other_in_one_place(indexer):
    together = a_message("x", "the annual budget meeting", minutes=2)
    apart = a_message("x", "the budget for the annual meeting", minutes=1)
    across = a_message("annual", "budget", minutes=0)
    await indexer.hears(a_page(together, apart, across))

    assert await indexer.finds('"annual budget"') == [together.message_id]
    assert await indexer.finds("annual budget") == [
        together.message_id,
        apart.message_id,
        across.message_id,
    ]
    assert await indexer.finds('budget -"annual budget"') == [apart.message_id, across.message_id]


async def test_a_word_is_found_where_it_is_written_with_and_without_its_hyphen(indexer):
    both = a_message("x", "An email is an e-mail, and an e-mail an email; E-Mail!")
    await indexer.hears(a_page(both))
    for query in ("email", "e-mail", '"an email"', '"an e-mail"', '"e mail and"'):
        assert await indexer.finds(query) == [both.message_id], query


async def test_words_can_be_begun_negated_and_grouped(indexer):
    invoice = a_message("Invoice 42", "please pay", minutes=2)
    invoicing = a_message("Invoicing rules", "please read", minutes=1)
    offer = a_message("Offer", "please read", minutes=0)
    await indexer.hears(a_page(invoice, invoicing, offer))

    assert await indexer.finds("invoi*") == [invoice.message_id, invoicing.message_id]
    assert await indexer.finds("invoice") == [invoice.message_id]
    assert await indexer.finds("please -invoi*") == [offer.message_id]
    assert await indexer.finds("please NOT (pay OR rules)") == [offer.message_id]
    assert await indexer.finds("-read") == [invoice.message_id]
    assert await indexer.finds("(pay OR offer) please") == [invoice.message_id, offer.message_id]


async def test_operators_look_in_one_field_only(indexer):
    message = a_message(
        "alpha",
        "delta",
        sender="Beta Person <beta@one.example>",
        to=["Gamma <gamma@two.example>"],
        cc=["Kappa <kappa@three.example>"],
        bcc=["Sigma <sigma@four.example>"],
        files=["Epsilon report.pdf"],
        header_id="abc'd\\e@one.example",
        list_id="dev.lists.example",
    )
    await indexer.hears(a_page(message))
    yes = ["subject:alpha", "body:delta", "from:beta", "from:beta@one.example", "from:one.example",
           'from:"beta person"', "to:gamma", "cc:kappa", "bcc:sigma", "filename:epsilon",
           "filename:report.p*", "has:attachment", "list:dev.lists.example", "list:lists",
           "rfc822msgid:abc'd\\e@one.example", "rfc822msgid:<abc'd\\e@one.example>",
           "subject:(alpha -beta)", "from: beta"]  # fmt: skip
    no = ["subject:delta", "body:alpha", "from:gamma", "to:beta", "to:kappa", "cc:gamma",
          "bcc:kappa", "filename:alpha", "body:epsilon", "-has:attachment", "list:alpha",
          "rfc822msgid:abc", "subject:(alpha beta)", "lists.example", "-subject:alpha"]  # fmt: skip
    for query in yes:
        assert await indexer.finds(query) == [message.message_id], query
    for query in no:
        assert await indexer.finds(query) == [], query


async def test_the_address_of_another_is_not_found_by_its_end(indexer):
    jim = a_message("x", "y", sender="Jim <jim.bob@example.com>")
    await indexer.hears(a_page(jim))
    assert await indexer.finds("from:bob@example.com") == []
    assert await indexer.finds("from:bob") == [jim.message_id]


async def test_flags_are_found_as_they_are_now(indexer):
    one = a_message("lunch", keywords=["\\Seen", "\\FLAGGED"], minutes=1)
    two = a_message("lunch", keywords=["\\Answered"], minutes=0)
    await indexer.hears(a_page(one, two))
    assert await indexer.finds("is:unread") == [two.message_id]
    assert await indexer.finds("is:read lunch") == [one.message_id]
    assert await indexer.finds("is:starred") == [one.message_id]
    assert await indexer.finds("-is:starred is:answered") == [two.message_id]

    await indexer.hears(a_change(one.message_id, 5, []), a_change(two.message_id, 6, ["\\Seen"]))
    assert await indexer.finds("is:unread") == [one.message_id]
    assert await indexer.finds("is:starred") == []


async def test_words_and_flags_may_be_mixed_below_or_and_not(indexer):
    one = a_message("lunch", keywords=["\\Seen"], minutes=2)
    two = a_message("dinner", keywords=[], minutes=1)
    three = a_message("breakfast", keywords=["\\Seen"], minutes=0)
    await indexer.hears(a_page(one, two, three))
    assert await indexer.finds("lunch OR is:unread") == [one.message_id, two.message_id]
    assert await indexer.finds("-(lunch OR is:unread)") == [three.message_id]
    assert await indexer.finds("-(lunch is:read)") == [two.message_id, three.message_id]
    assert await indexer.finds("(dinner is:unread) OR breakfast") == [
        two.message_id,
        three.message_id,
    ]


async def test_dates_and_sizes_limit_what_is_found(indexer):
    old = a_message("x", minutes=-60 * 24 * 30, size_bytes=10)
    new = a_message("x", minutes=0, size_bytes=5_000_000)
    await indexer.hears(a_page(old, new))
    assert await indexer.finds("after:2026-03-01") == [new.message_id]
    assert await indexer.finds("before:2026/03/01 x") == [old.message_id]
    assert await indexer.finds("after:2026-01-01 before:2026-02-01") == [old.message_id]
    assert await indexer.finds("before:2026-02-01 OR after:2026-03-01") == [
        new.message_id,
        old.message_id,
    ]
    assert await indexer.finds("larger:1m") == [new.message_id]
    assert await indexer.finds("smaller:1k") == [old.message_id]
    assert await indexer.finds("newer_than:1d") == []


async def test_vanished_moving_and_unknown_messages_are_not_found(indexer):
    here = a_message("lunch", minutes=9)
    went = a_message("lunch")
    moving = a_message("lunch", mailbox_id=None)
    deleted = a_message("lunch", keywords=["\\Deleted"])
    await indexer.hears(a_page(here, went, moving, deleted), gone(went.message_id, 2))
    await indexer.hears(a_change(UUID(int=7), 3, ["\\Flagged"]))  # a stub
    assert await indexer.finds("lunch") == [here.message_id]
    assert await indexer.finds("is:unread") == [here.message_id]


async def test_nothing_of_a_removed_account_is_found_or_comes_back(indexer):
    message = a_message("lunch")
    await indexer.hears(a_page(message))
    await indexer.hears(removed())
    assert await indexer.finds("lunch") == []

    await indexer.hears(a_page(a_message("lunch again")), a_change(message.message_id, 9))
    assert await indexer.finds("lunch") == []


async def test_pages_of_results_join_without_gap_or_repetition_while_mail_arrives(indexer):
    messages = [a_message(f"lunch {n}", minutes=n // 3) for n in range(40)]
    await indexer.hears(a_page(*messages))
    seen, before = [], None
    while True:
        answer = await indexer.asks("lunch", limit=7, before=before)
        seen += [found.message_id for found in answer.found]
        if not answer.more:
            break
        last = answer.found[-1]
        before = (last.received_at, last.message_id)
        await indexer.hears(a_page(a_message("lunch too", minutes=1000)))
    expected = sorted(messages, key=lambda m: (m.content.received_at, m.message_id), reverse=True)
    assert seen == [message.message_id for message in expected]


async def test_who_wants_no_lines_has_the_same_messages_and_more_of_them_at_once(indexer):
    messages = [a_message("lunch", minutes=n) for n in range(2100)]
    for start in range(0, 2100, 500):
        await indexer.hears(a_page(*messages[start : start + 500]))
    newest = [message.message_id for message in reversed(messages)]
    shown = await indexer.asks("lunch", limit=5000)
    named = await indexer.asks("lunch", limit=5000, with_lines=False)
    assert [one.message_id for one in shown.found] == newest[:200]
    assert [one.message_id for one in named.found] == newest[:2000]
    assert (shown.more, named.more) == (True, True)
    assert {one.snippet for one in named.found} == {""}
    last = named.found[-1]
    before = (last.received_at, last.message_id)
    assert (
        await indexer.finds("lunch", with_lines=False, limit=2000, before=before) == newest[2000:]
    )


async def test_results_mixed_below_or_page_as_well(indexer):
    messages = [
        a_message("lunch", keywords=[] if n % 7 == 0 else ["\\Seen"], minutes=n) for n in range(60)
    ]
    await indexer.hears(a_page(*messages))
    expected = [m.message_id for m in reversed(messages) if not m.state.keywords]
    first = await indexer.asks("absent OR is:unread", limit=4)
    assert [found.message_id for found in first.found] == expected[:4]
    assert first.more
    before = (first.found[-1].received_at, first.found[-1].message_id)
    assert await indexer.finds("absent OR is:unread", before=before) == expected[4:]


async def test_a_common_word_and_a_rare_one_give_the_same_answers_by_either_way(indexer):
    messages = [
        a_message(
            "common" + (" rare" if n < 3 else ""),
            keywords=["\\Seen"] if n > 400 else [],
            minutes=n,
        )
        for n in range(1500)
    ]
    for start in range(0, 1500, 500):
        await indexer.hears(a_page(*messages[start : start + 500]))
    await indexer.admin.execute("ANALYZE indexer.words_live")
    newest = [message.message_id for message in reversed(messages)]
    assert await indexer.finds("common", limit=50) == newest[:50]
    assert await indexer.finds("rare") == newest[-3:]
    assert await indexer.finds("common -rare", limit=200) == newest[:200]
    assert await indexer.finds("common is:unread", limit=30) == newest[-401:-371]
    assert await indexer.finds("common is:starred", limit=30) == []
    before = (messages[10].content.received_at, messages[10].message_id)
    assert await indexer.finds("common", before=before) == newest[-10:]


async def test_a_word_common_only_in_old_mail_is_found(indexer):
    old = [a_message("ancient", minutes=n) for n in range(2000)]
    new = [a_message("modern", minutes=10_000 + n) for n in range(2000)]
    for start in range(0, 2000, 500):
        await indexer.hears(a_page(*old[start : start + 500]), a_page(*new[start : start + 500]))
    await indexer.admin.execute("ANALYZE indexer.words_live")
    newest = [message.message_id for message in reversed(old)]
    assert await indexer.finds("ancient", limit=50) == newest[:50]


async def test_pages_of_words_of_any_frequency_lead_through_years_of_mail(indexer):
    await indexer.hears(a_page(a_message("other", minutes=-60)))
    await indexer.admin.execute(
        """
        WITH come AS (
            INSERT INTO indexer.document (
                message_id, tenant_id, account_id, revision, mailbox_id, has_content, received_at,
                size_bytes, keywords)
            SELECT gen_random_uuid(), $1, $2, n, $3, true,
                   $4::timestamptz + n / 2 * interval '1 min', 1,
                   CASE WHEN n % 10 = 0 THEN '{}' ELSE ARRAY[E'\\\\seen'] END
              FROM generate_series(0, 11999) AS n
            RETURNING message_id, received_at, revision AS n
        ), words AS (
            INSERT INTO indexer.words_live (message_id, tenant_id, account_id, received_at, words)
            SELECT message_id, $1, $2, received_at, array_to_tsvector(array_remove(ARRAY[
                       ':tenant:' || replace($1::text, '-', ''),
                       ':account:' || replace($2::text, '-', ''),
                       CASE WHEN n % 2 = 0 THEN 'half' END,
                       CASE WHEN n % 40 = 7 THEN 'fortieth' END,
                       CASE WHEN n % 200 = 150 THEN 'seldom' END,
                       CASE WHEN n < 1000 THEN 'ancient' END,
                       CASE WHEN n % 3000 = 5 THEN 'rare' END], NULL))
              FROM come
        )
        INSERT INTO indexer.document_text
        SELECT message_id, $1, $2, '', '{}', '{}', '{}', '{}', '{}', '', '', '', '', 0 FROM come
        """,
        TENANT,
        ACCOUNT,
        MAILBOX,
        BEGINNING,
    )
    await indexer.admin.execute("ANALYZE indexer.words_live")
    order = await indexer.admin.fetch(
        "SELECT message_id, revision FROM indexer.document"
        " ORDER BY received_at DESC, message_id DESC"
    )
    for query, fits in {
        "fortieth": lambda n: n % 40 == 7,
        "seldom": lambda n: n % 200 == 150,
        "ancient": lambda n: n < 1000,
        "rare": lambda n: n % 3000 == 5,
        "seldom is:unread": lambda n: n % 200 == 150,
        "half -seldom": lambda n: n % 2 == 0 and n % 200 != 150,
        "half seldom OR rare": lambda n: n % 200 == 150 or n % 3000 == 5,
        "fortieth ancient": lambda n: n % 40 == 7 and n < 1000,
    }.items():
        expected = [message_id for message_id, n in order if fits(n)][:30]
        found, before = [], None
        for _ in range(3):
            page = await indexer.asks(query, limit=10, before=before)
            found += [one.message_id for one in page.found]
            if not page.more:
                break
            before = (page.found[-1].received_at, page.found[-1].message_id)
        assert found == expected, query


async def test_a_long_message_is_searched_to_its_end(indexer):
    filler = "the cat sat on " * 5000
    long = a_message("minutes", filler + "finally the dog barked", files=["cat.pdf"])
    await indexer.hears(a_page(long))
    found = [long.message_id]
    assert await indexer.finds("barked") == found
    assert await indexer.finds('"the dog barked"') == found
    assert await indexer.finds('"finally the"') == found
    assert await indexer.finds('-"dog the"') == found
    assert await indexer.finds('"dog the"') == []
    assert await indexer.finds('-"the dog"') == []
    assert await indexer.finds('"barked finally"') == []
    assert await indexer.finds("filename:cat body:sat") == found
    assert await indexer.finds("subject:cat") == []
    assert await indexer.finds("-subject:cat") == found
    assert await indexer.finds("-subject:minutes") == []


async def test_a_snippet_shows_where_the_word_stands(indexer):
    message = a_message("x", "Dear all,\n\n" + "filler words " * 50 + "the Überraschung is " * 2)
    await indexer.hears(a_page(message))
    (found,) = (await indexer.asks("uberraschung")).found
    assert "Überraschung" in found.snippet
    assert len(found.snippet) <= 200
    assert found.received_at == BEGINNING
    (by_flag,) = (await indexer.asks("is:unread")).found
    assert by_flag.snippet.startswith("Dear all, filler words")


async def test_what_is_wrong_with_a_query_is_said_with_its_place(indexer):
    for text, position in [
        ("", 0), ("lunch form:bob", 6), ('lunch "dinner', 6), ("(lunch", 0), ("lunch)", 5),
        ("lunch OR", 6), ("from:", 0), ("is:purple", 3), ("before:someday", 7),
        ("larger:huge", 7), ("()", 0), ("!!!", 0), ("x" * 1001, 1000),
    ]:  # fmt: skip
        answer = await indexer.asks(text)
        assert answer.problem is not None, text
        assert answer.problem.code == "query_invalid"
        assert answer.problem.position == position, text
        assert answer.problem.detail


async def test_a_caller_with_no_accounts_finds_nothing(indexer):
    await indexer.hears(a_page(a_message("lunch")))
    assert await indexer.finds("lunch", accounts=[]) == []
    assert await indexer.finds("lunch", accounts=[OTHER_ACCOUNT]) == []


async def test_several_accounts_are_searched_as_one(indexer):
    mine = a_message("lunch", minutes=1)
    shared = a_message("lunch", minutes=2)
    await indexer.hears(a_page(mine), a_page(shared, account=OTHER_ACCOUNT))
    assert await indexer.finds("lunch", accounts=[ACCOUNT, OTHER_ACCOUNT]) == [
        shared.message_id,
        mine.message_id,
    ]
    assert await indexer.finds("is:unread", accounts=[ACCOUNT, OTHER_ACCOUNT]) == [
        shared.message_id,
        mine.message_id,
    ]
    assert await indexer.finds("lunch", accounts=[ACCOUNT]) == [mine.message_id]


async def test_times_at_the_ends_of_the_calendar_can_be_found(indexer):
    late = a_message("lunch", minutes=timedelta(days=365 * 7000).total_seconds() / 60)
    await indexer.hears(a_page(late))
    assert await indexer.finds("lunch", tenant=TENANT) == [late.message_id]


async def test_a_plan_made_for_no_mail_at_all_still_looks_words_up_in_much(indexer, platform):
    """Statements are planned once: what was cheap for an empty table must not be kept."""
    ask = """
        SELECT message_id FROM find_messages('''needle'''::tsquery, '{}', '{}', '{}', NULL, NULL,
            NULL, '{}', $1, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $2)
    """
    read = """
        SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
         WHERE schemaname = 'indexer' AND relname = 'words_live'
    """
    caller = Caller(tenant_id=TENANT, account_ids=(ACCOUNT,))
    needles = [a_message("needle", minutes=minutes) for minutes in (2990, 2500, 5)]
    expected = [one.message_id for one in needles]
    beginning = datetime.min.replace(tzinfo=UTC)
    address = platform.database_url("indexer_request")
    async with asyncpg.create_pool(address, min_size=1, max_size=1) as pool:

        async def finds(since: datetime, wanted: int) -> tuple[list[UUID], int]:
            async with tenant_transaction(pool, caller) as connection:
                # What earlier searches read is handed on once a second, and counted until then.
                before = await connection.fetchval(read)
                rows = await connection.fetch(ask, since, wanted)
                rows_read = await connection.fetchval(read) - before
                return [row["message_id"] for row in rows], rows_read

        for wanted in (1, 50):
            assert (await finds(beginning, wanted))[0] == []
        hay = [a_message("straw", minutes=minutes) for minutes in range(3000)]
        for start in range(0, len(hay), 500):
            await indexer.hears(a_page(*hay[start : start + 500]))
        await indexer.hears(a_page(*needles))
        # In a stretch of time, of which 500 messages are counted, and among all there are.
        found, rows_read = await finds(beginning, 1)
        assert found == expected[:1]
        assert rows_read < 600
        found, rows_read = await finds(beginning, 50)
        assert found == expected
        assert rows_read < 50
