"""What an answer is made of: threads, relevance, totals, and lines that show why."""

from uuid import uuid4

import msgspec

from services.indexer import subscribers
from shared.contracts.envelope import Caller
from shared.contracts.search import ExplainSearch, Order, TotalKind, Unit
from tests.indexer.mail import ACCOUNT, TENANT, a_message, a_page, gone


async def pages(indexer, text, limit, **more):
    """Every page of an answer, as ids."""
    found, before, ranked_after = [], None, None
    while True:
        answer = await indexer.asks(
            text, limit=limit, before=before, ranked_after=ranked_after, **more
        )
        assert answer.problem is None
        found.append([one.message_id for one in answer.found])
        if not answer.more:
            return found
        last = answer.found[-1]
        before = answer.anchor or (last.received_at, last.message_id)
        ranked_after = (last.rank, last.message_id) if answer.anchor else None


async def test_a_thread_is_found_once_by_its_newest_message_that_matches(indexer):
    threads = [uuid4() for _ in range(7)]
    mail = [
        a_message("lunch" if n % 3 else "dinner", thread_id=threads[n % 7], minutes=n)
        for n in range(50)
    ]
    await indexer.hears(a_page(*mail))
    newest = {}
    for message in reversed(mail):
        if message.content.subject == "lunch":
            newest.setdefault(message.state.thread_id, message.message_id)
    expected = list(newest.values())
    for limit in (1, 3, 50):
        found = await pages(indexer, "lunch", limit, unit=Unit.THREADS)
        assert [one for page in found for one in page] == expected, limit
        assert all(len(page) == limit for page in found[:-1])


async def test_by_relevance_the_subject_counts_more_than_the_text(indexer):
    text = a_message("about", "lunch with many other words in it", minutes=2)
    subject = a_message("lunch", "about", minutes=1)
    often = a_message("about", "lunch and lunch with many words in it", minutes=0)
    await indexer.hears(a_page(text, subject, often))
    found = await indexer.finds("lunch", order=Order.RELEVANCE)
    assert found == [subject.message_id, often.message_id, text.message_id]


async def test_pages_by_relevance_join_while_mail_arrives(indexer):
    mail = [
        a_message("lunch " * (n % 4) + "x", "lunch " * (n % 5) + "filler", minutes=n)
        for n in range(1, 30)
    ]
    await indexer.hears(a_page(*mail))
    whole = await indexer.finds("lunch", order=Order.RELEVANCE)
    first = await indexer.asks("lunch", limit=10, order=Order.RELEVANCE)
    await indexer.hears(a_page(a_message("lunch lunch lunch", minutes=1000)))
    last = first.found[-1]
    rest = await indexer.finds(
        "lunch",
        order=Order.RELEVANCE,
        before=first.anchor,
        ranked_after=(last.rank, last.message_id),
    )
    assert [one.message_id for one in first.found] + rest == whole
    assert len(set(whole)) == len(whole)


async def test_the_total_is_exact_while_it_is_small(indexer):
    mail = [a_message("lunch", minutes=n, keywords=["\\Seen"] * (n % 2)) for n in range(30)]
    await indexer.hears(a_page(*mail), gone(mail[0].message_id, 5))
    for query, expected in {"lunch": 29, "lunch is:unread": 14, "lunch OR is:read": 29}.items():
        answer = await indexer.asks(query, limit=3, with_total=True)
        assert (answer.total.messages, answer.total.kind) == (expected, TotalKind.EXACT), query
    assert (await indexer.asks("lunch")).total is None


async def test_a_large_total_is_said_to_be_no_exact_one(indexer):
    for start in range(0, 1500, 500):
        await indexer.hears(a_page(*(a_message("lunch", minutes=start + n) for n in range(500))))
    await indexer.admin.execute("ANALYZE indexer.words_live")
    words = (await indexer.asks("lunch", limit=3, with_total=True)).total
    assert words.kind is TotalKind.ESTIMATED
    assert 1000 < words.messages < 2000
    flags = (await indexer.asks("is:unread", limit=3, with_total=True)).total
    assert (flags.kind, flags.messages) == (TotalKind.AT_LEAST, 1001)


async def test_a_snippet_marks_what_was_found_in_any_script(indexer):
    message = a_message(
        "x", "Before it: the Café <b>menu</b> für 東京都 and so on", text_is_cut=True
    )
    await indexer.hears(a_page(message))
    for query, marked in {
        "cafe": ["Café"],
        "menu CAFE": ["Café", "menu"],
        "東京都": ["東京都"],
        "caf*": ["Caf"],
        "-zebra": [],
    }.items():
        (found,) = (await indexer.asks(query)).found
        assert [found.snippet[start:end] for start, end in found.marks] == marked, query
        assert found.text_is_cut


async def test_who_has_a_search_explained_is_told_how_many_texts_are_cut(indexer):
    whole = a_message("lunch", minutes=1)
    await indexer.hears(a_page(whole, *(a_message("x", text_is_cut=True) for _ in range(3))))
    query = ExplainSearch(caller=Caller(tenant_id=TENANT, account_ids=(ACCOUNT,)), text="lunch")
    assert (await subscribers.answer_explain_search(query, indexer.world)).cut_texts == 3
    nobody = msgspec.structs.replace(query, caller=Caller(tenant_id=TENANT, account_ids=()))
    assert (await subscribers.answer_explain_search(nobody, indexer.world)).cut_texts == 0
