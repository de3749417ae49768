import asyncio
from base64 import b64encode
from typing import Any

import httpx
from msgspec import structs

from services.api.actions.copy_drafts import copy_drafts
from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import Told, decode
from shared.contracts.ids import Kind, read, shown
from shared.contracts.intent import CarryIntent, Destroy
from shared.contracts.mail import Address, Attachment, MailboxRole, ReadContent
from shared.contracts.submission import SendMessage
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_composing import GRACE, an_original, upload, words


def begun(ground: Ground, **more: Any) -> dict[str, Any]:
    return {"account_id": shown(Kind.ACCOUNT, ground.account_id), **more}


async def a_draft(ada: Person, ground: Ground, **more: Any) -> dict[str, Any]:
    answer = await ada.http.post("/drafts", json=begun(ground, **more))
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"1"'
    return answer.json()


async def told(api: Api, contract: type[Told]) -> list[Any]:
    return [
        decode(row["body"], contract)
        for row in await api.rows("outbox", "position")
        if row["subject"] == contract.channel
    ]


async def copies(api: Api) -> list[KeepDraft]:
    """What sync is told of drafts, once their copies are due."""
    await api.admin.execute("UPDATE api.draft SET copy_due_at = now() WHERE copy_due_at > now()")
    await copy_drafts(api.world.pool)
    return await told(api, KeepDraft)


async def test_a_draft_is_saved_as_often_as_one_likes_and_copied_once(
    api: Api, ada: Person, ground: Ground
) -> None:
    draft = await a_draft(ada, ground, subject="Lunch")
    place = f"/drafts/{draft['id']}"
    for text in ("S", "Sh", "Sha"):
        answer = await ada.http.patch(place, json={"text": text})
        assert answer.status_code == 200, answer.text
    assert answer.json()["subject"] == "Lunch"
    assert (answer.json()["version"], answer.headers["etag"]) == (4, '"4"')
    again = await ada.http.patch(place, json={"text": "Sha"})
    assert again.headers["etag"] == '"4"'
    events = [one for one in await ada.events() if one["type"].startswith("draft.")]
    assert [(one["type"], one["data"]["version"]) for one in events] == [
        ("draft.created", 1),
        *(("draft.updated", version) for version in (2, 3, 4)),
    ]
    assert {one["data"]["id"] for one in events} == {draft["id"]}
    whole = await ada.http.put(place, json={"to": ["grace@example.org"], "text": "Shall we?"})
    assert (whole.json()["subject"], whole.json()["text"]) == ("", "Shall we?")
    assert whole.json()["to"] == [{"name": "", "email": "grace@example.org"}]
    assert (await ada.http.get(place)).json() == whole.json()
    assert [one["id"] for one in await ada.items("/drafts")] == [draft["id"]]

    [copy] = await copies(api)
    assert copy.version == 5
    assert copy.message is not None
    assert copy.message.text == "Shall we?"
    assert len(await copies(api)) == 1
    await ada.http.patch(place, json={"text": "Shall we go?"})
    assert [one.version for one in await copies(api)] == [5, 6]


async def test_two_who_write_at_once_lose_nothing_unseen(ada: Person, ground: Ground) -> None:
    draft = await a_draft(ada, ground, text="one")
    place, first = f"/drafts/{draft['id']}", {"If-Match": '"1"'}
    answer = await ada.http.patch(place, json={"text": "two"}, headers=first)
    assert answer.status_code == 200
    for late in (
        ada.http.patch(place, json={"text": "three"}, headers=first),
        ada.http.put(place, json={}, headers=first),
        ada.http.delete(place, headers=first),
        ada.http.post(f"{place}/send", json={}, headers=first),
        ada.http.put(place, json={}, headers={"If-Match": "nonsense"}),
    ):
        refused = await late
        assert (refused.status_code, refused.json()["code"]) == (412, "changed_meanwhile")
    either = {"If-Match": '"1", "2"'}
    assert (await ada.http.put(place, json={}, headers=either)).status_code == 200
    assert (await ada.http.delete(place, headers={"If-Match": "*"})).status_code == 204
    assert (await ada.http.get(place)).status_code == 404

    racing = await a_draft(ada, ground)
    answers = await asyncio.gather(
        *(
            ada.http.patch(f"/drafts/{racing['id']}", json={"text": str(n)}, headers=first)
            for n in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]


async def test_a_draft_is_sent_and_then_is_no_draft(api: Api, ada: Person, ground: Ground) -> None:
    file = await upload(ada, b"soup", "menu.txt")
    draft = await a_draft(ada, ground, text="Hi", attachments=[{"upload_id": file}])
    place = f"/drafts/{draft['id']}"
    nobody = await ada.http.post(f"{place}/send", json={})
    assert (nobody.status_code, nobody.json()["code"]) == (422, "no_recipients")
    await ada.http.patch(place, json={"to": ["grace@example.org"], "bcc": ["eve@example.net"]})
    answer = await ada.http.post(f"{place}/send", json={"undo_seconds": 20})
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "held"
    assert (await ada.http.get(place)).status_code == 404
    assert (await ada.http.post(f"{place}/send", json={})).status_code == 404
    [message] = await told(api, SendMessage)
    assert [one.email for one in (*message.to, *message.bcc)] == [
        "grace@example.org",
        "eve@example.net",
    ]
    assert [one.name for one in message.enclosures] == ["menu.txt"]
    [gone] = await told(api, KeepDraft)
    assert (gone.message, gone.version) == (None, 3)
    created, deleted = (await ada.events())[-2:]
    assert (created["type"], deleted["type"]) == ("submission.created", "draft.deleted")
    assert deleted["data"]["submission_id"] == created["data"]["id"] == answer.json()["id"]
    assert (await ada.http.get(f"/uploads/{file}")).json()["used"]  # by the submission


async def test_what_a_draft_no_longer_needs_is_let_go(
    api: Api, ada: Person, ground: Ground
) -> None:
    file = await upload(ada, b"soup")
    draft = await a_draft(ada, ground, attachments=[{"upload_id": file}])
    assert draft["attachments"][0]["upload_id"] == file
    await ada.http.patch(f"/drafts/{draft['id']}", json={"attachments": []})
    assert not (await ada.http.get(f"/uploads/{file}")).json()["used"]
    embedded = {"content": b64encode(b"x").decode(), "name": "x.txt"}
    answer = await ada.http.patch(f"/drafts/{draft['id']}", json={"attachments": [embedded]})
    kept = answer.json()["attachments"][0]["upload_id"]
    assert (await ada.http.get(f"/uploads/{kept}")).json()["used"]
    await ada.http.delete(f"/drafts/{draft['id']}")
    assert not (await ada.http.get(f"/uploads/{kept}")).json()["used"]
    async with api.person() as eve:
        theirs = await upload(eve, b"secret")
    other = await a_draft(ada, ground)
    refused = await ada.http.patch(
        f"/drafts/{other['id']}", json={"attachments": [{"upload_id": theirs}]}
    )
    assert refused.json()["errors"][0]["pointer"] == "/attachments/0/upload_id"


async def test_an_answer_is_quoted_when_it_is_begun_and_never_again(
    api: Api, ada: Person, ground: Ground
) -> None:
    original = await an_original(api, ground)
    async with api.answering("sync", ReadContent, words("Shall we?")) as asked:
        draft = await a_draft(
            ada, ground, in_reply_to=original, quote=True, reply_all=True, text="Yes"
        )
        assert draft["subject"] == "Re: Lunch"
        assert [one["email"] for one in draft["to"]] == [GRACE.email]
        assert [one["email"] for one in draft["cc"]] == ["bob@example.org", "carl@example.org"]
        assert draft["text"].endswith("Grace wrote:\n> Shall we?\n")
        saved = await ada.http.put(
            f"/drafts/{draft['id']}",
            json={"to": [], "text": "Never mind", "in_reply_to": original, "quote": True},
        )
        assert (saved.json()["text"], saved.json()["to"]) == ("Never mind", [])
    assert len(asked) == 1
    assert saved.json()["in_reply_to"] == original


async def test_a_draft_made_elsewhere_is_written_on_here(
    api: Api, ada: Person, ground: Ground
) -> None:
    mailboxes = ground.mailboxes()
    inbox, drafts_box = mailboxes.mailboxes
    drafts_box = structs.replace(drafts_box, role=MailboxRole.DRAFTS)
    await api.hears(structs.replace(mailboxes, mailboxes=(inbox, drafts_box)))
    elsewhere = ground.message(
        "Lunch",
        sender=Address("Ada", "ada@example.org"),
        to=(GRACE,),
        bcc=(Address("", "eve@example.net"),),
        state=ground.state(ground.archive, "\\Draft"),
        attachments=(Attachment(number=1, name="a.txt", content_type="text/plain", size_bytes=1),),
    )
    conversation = structs.replace(
        elsewhere.content,
        in_reply_to=("two@example.org",),
        references=("one@example.org", "no id", "two@example.org"),
    )
    elsewhere = structs.replace(elsewhere, content=conversation)
    received = ground.message("Hello")
    await api.hears(ground.page(elsewhere, received))
    await api.fills_bucket(ground.account_id, elsewhere.message_id, 1, b"x")

    async def edit(message_id: Any) -> httpx.Response:
        body = {"message_id": shown(Kind.MESSAGE, message_id)}
        async with api.answering("sync", ReadContent, words("At noon")):
            return await ada.http.post("/drafts", json=body)

    answer = await edit(elsewhere.message_id)
    assert answer.status_code == 201, answer.text
    draft = answer.json()
    assert (draft["subject"], draft["text"]) == ("Lunch", "At noon")
    assert [one["email"] for one in (*draft["to"], *draft["bcc"])] == [
        "grace@example.org",
        "eve@example.net",
    ]
    assert len(draft["attachments"]) == 1
    assert (await edit(elsewhere.message_id)).json()["id"] == draft["id"]
    assert (await edit(received.message_id)).status_code == 404

    # Written on here, it still answers what it answered.
    saved = await ada.http.put(f"/drafts/{draft['id']}", json={"text": "At one"})
    assert saved.status_code == 200, saved.text
    [copy] = await copies(api)
    assert copy.message is not None
    assert copy.message.in_reply_to == ("two@example.org",)
    assert copy.message.references == ("one@example.org", "two@example.org")
    assert await api.admin.fetchval("SELECT replaces IS NULL FROM api.draft")
    [removal] = await told(api, CarryIntent)
    [step] = removal.steps
    assert (step.change, step.message_ids) == (Destroy(), (elsewhere.message_id,))


async def test_our_own_copy_of_a_draft_is_the_draft(api: Api, ada: Person, ground: Ground) -> None:
    draft = await a_draft(ada, ground, text="At noon")
    other = await a_draft(ada, ground, text="At eight")
    draft_id = read(Kind.DRAFT, draft["id"])
    copy = ground.message("Lunch")
    content = structs.replace(copy.content, message_id=f"{draft_id}.7@example.org")
    await api.hears(ground.page(structs.replace(copy, content=content)))
    answer = await ada.http.post(
        "/drafts", json={"message_id": shown(Kind.MESSAGE, copy.message_id)}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"] == draft["id"] != other["id"]
    assert answer.headers["etag"] == '"1"'
    listed = (await ada.http.get("/drafts")).json()["items"]
    assert len(listed) == 2


async def test_drafts_are_their_tenants(api: Api, ada: Person, ground: Ground) -> None:
    draft = await a_draft(ada, ground, text="secret")
    place = f"/drafts/{draft['id']}"
    async with api.person() as eve:
        await eve.connects()
        assert await eve.items("/drafts") == []
        for answer in (
            await eve.http.get(place),
            await eve.http.put(place, json={}),
            await eve.http.patch(place, json={}),
            await eve.http.delete(place),
            await eve.http.post(f"{place}/send", json={}),
            await eve.http.post("/drafts", json=begun(ground)),
        ):
            assert answer.status_code == 404
    assert (await ada.http.get(place)).json()["text"] == "secret"
