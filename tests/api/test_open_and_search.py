from datetime import timedelta

import pytest

from services.api.domain.html import clean
from shared.contracts.content import (
    AuthenticationResult,
    Invitation,
    MailingList,
    Priority,
    RecipientReport,
    Report,
    ReportKind,
    Scheme,
)
from shared.contracts.envelope import Problem
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment, ContentAnswer, MessageContent, ReadContent, State
from shared.contracts.search import Found, SearchAnswer, SearchMessages
from tests.api.conftest import Api, Person
from tests.api.mail import NOON, Ground


async def test_an_opened_message_is_whole_however_many_slices_it_takes(
    api: Api, ada: Person, ground: Ground
) -> None:
    part = Attachment(number=1, name="a.pdf", content_type="application/pdf", size_bytes=9)
    message = ground.message("Slices", attachments=(part,))
    await api.hears(ground.page(message))
    slices = [
        ContentAnswer(
            content=MessageContent(
                text=text,
                html=html,
                headers=(("Subject", "Slices"),) if n == 0 else (),
                text_characters=6,
                html_characters=12,
            )
        )
        for n, (text, html) in enumerate([("abc", "<p>12"), ("def", "34"), ("", "5</p>")])
    ]
    async with api.answering("sync", ReadContent, *slices) as asked:
        path = f"/messages/{shown(Kind.MESSAGE, message.message_id)}"
        answer = await ada.http.get(path)
    assert answer.status_code == 200, answer.text
    opened = answer.json()
    assert [(query.text_from, query.html_from) for query in asked] == [(0, 0), (3, 5), (6, 7)]
    assert opened["text"] == "abcdef"
    assert opened["html"].endswith("</style><p>12345</p></div>")
    assert opened["headers"] == [{"name": "Subject", "value": "Slices"}]
    assert opened["attachments"][0]["name"] == "a.pdf"
    assert opened["from"] == {"name": "Ada", "email": "ada@example.org"}
    assert opened["is_cut"] is False
    assert asked[0].caller.tenant_id == ada.tenant_id
    assert asked[0].caller.account_ids == (ground.account_id,)


async def test_an_opened_message_says_what_it_is_beside_its_words(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message(
        "Lunch",
        priority=Priority.HIGH,
        signed=Scheme.OPENPGP,
        invitation=Invitation(method="request", summary="Lunch"),
        report=Report(
            kind=ReportKind.DELIVERY,
            recipients=(RecipientReport(recipient="bob@example.net", action="failed"),),
        ),
    )
    await api.hears(ground.page(message))
    content = MessageContent(
        text="Yes.\n> Lunch?",
        html=None,
        headers=(),
        text_characters=13,
        html_characters=0,
        own_text="Yes.",
        stamped_at=NOON,
        mailing_list=MailingList(unsubscribe=("mailto:leave@example.org",)),
        authentication=(
            AuthenticationResult(server="mx.example.org", method="spf", result="pass"),
        ),
    )
    async with api.answering("sync", ReadContent, ContentAnswer(content=content)):
        answer = await ada.http.get(f"/messages/{shown(Kind.MESSAGE, message.message_id)}")
    assert answer.status_code == 200, answer.text
    opened = answer.json()
    assert (opened["priority"], opened["signed"], opened["encrypted"]) == ("high", "openpgp", None)
    assert opened["invitation"]["summary"] == "Lunch"
    assert opened["report"]["recipients"][0]["action"] == "failed"
    assert opened["mailing_list"]["unsubscribe"] == ["mailto:leave@example.org"]
    assert opened["authentication"][0]["result"] == "pass"
    assert opened["own_text"] == "Yes."
    assert opened["stamped_at"] is not None
    assert opened["autocrypt"] is None


@pytest.mark.parametrize(
    ("answers", "status", "code"),
    [
        ([], 503, "content_unavailable"),
        ([ContentAnswer(problem=Problem(code="not_found"))], 404, "not_found"),
        ([ContentAnswer(problem=Problem(code="strange"))], 503, "content_unavailable"),
    ],
)
async def test_a_message_that_cannot_be_read_now_says_when_to_try_again(
    api: Api,
    ada: Person,
    ground: Ground,
    answers: list[ContentAnswer],
    status: int,
    code: str,
) -> None:
    message = ground.message()
    await api.hears(ground.page(message))
    path = f"/messages/{shown(Kind.MESSAGE, message.message_id)}"
    if answers:
        async with api.answering("sync", ReadContent, *answers):
            answer = await ada.http.get(path)
    else:
        answer = await ada.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (status == 503)


async def test_a_message_between_two_mailboxes_is_in_no_list_and_still_opens(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message()
    between = State(mailbox_id=None, keywords=frozenset(), thread_id=message.state.thread_id)
    await api.hears(ground.page(message), ground.changed(message.message_id, 2, between))
    account = shown(Kind.ACCOUNT, ground.account_id)
    assert await ada.items("/messages", account_id=account) == []
    content = MessageContent(text="Hi", html=None, headers=(), text_characters=2, html_characters=0)
    async with api.answering("sync", ReadContent, ContentAnswer(content=content)):
        answer = await ada.http.get(f"/messages/{shown(Kind.MESSAGE, message.message_id)}")
    assert answer.status_code == 200
    assert (answer.json()["mailbox_id"], answer.json()["text"]) == (None, "Hi")


async def test_what_is_found_is_shown_in_the_order_found(
    api: Api, ada: Person, ground: Ground
) -> None:
    first, second, gone = ground.message("one"), ground.message("two"), ground.message("gone")
    await api.hears(ground.page(first, second, gone), ground.vanished(gone.message_id, 2))
    found = SearchAnswer(
        found=tuple(
            Found(message_id=m.message_id, received_at=NOON - timedelta(hours=n), snippet=f"…{n}…")
            for n, m in enumerate((second, gone, first))
        ),
        more=True,
    )
    async with api.answering("indexer", SearchMessages, found, SearchAnswer()) as asked:
        answer = (await ada.http.get("/search", params={"q": "from:ada", "limit": 3})).json()
        end = await ada.http.get(
            "/search", params={"q": "from:ada", "cursor": answer["next_cursor"]}
        )
    assert [(item["subject"], item["snippet"]) for item in answer["items"]] == [
        ("two", "…0…"),
        ("one", "…2…"),
    ]
    assert end.json() == {"items": [], "next_cursor": None, "total": None}
    assert (asked[0].text, asked[0].limit, asked[0].before) == ("from:ada", 3, None)
    assert asked[1].before == (NOON - timedelta(hours=2), first.message_id)


async def test_a_query_that_cannot_be_read_says_where_and_why(
    api: Api, ada: Person, ground: Ground
) -> None:
    problem = Problem(code="query_invalid", detail="A parenthesis is open.", position=4)
    async with api.answering("indexer", SearchMessages, SearchAnswer(problem=problem)):
        answer = await ada.http.get("/search", params={"q": "cat ("})
    assert (answer.status_code, answer.json()["code"]) == (400, "query_invalid")
    assert answer.json()["position"] == 4
    assert answer.json()["detail"] == "A parenthesis is open."


async def test_search_that_does_not_answer_is_a_problem(api: Api, ada: Person) -> None:
    answer = await ada.http.get("/search", params={"q": "cat"})
    assert (answer.status_code, answer.json()["code"]) == (503, "search_unavailable")


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" java\nscript:alert(1)">x</a>',
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        "<svg><script>alert(1)</script></svg>",
        '<iframe src="https://evil.example"></iframe>',
        '<form action="https://evil.example"><input name=q></form>',
        '<style>@import "https://evil.example"</style>',
        '<p style="list-style:url(https://evil.example)">x</p>',
        '<table background="https://evil.example"></table>',
        '<link rel=stylesheet href="https://evil.example">',
        '<meta http-equiv=refresh content="0;url=https://evil.example">',
        '<base href="https://evil.example">',
        '<img srcset="https://evil.example 2x">',
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        '<video poster="https://evil.example"></video>',
        '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
    ],
)
def test_what_a_sender_hides_in_html_neither_runs_nor_reaches_out(hostile: str) -> None:
    kept = clean(hostile).lower()
    for danger in ("script", "onerror", "onload", "evil.example", "iframe", "svg", "style="):
        assert danger not in kept, kept
