"""Ids of another tenant in the body of a request: every field that takes an id is tried."""

from collections.abc import Iterator
from typing import Any

from msgspec import structs
from uuid_utils.compat import uuid7

from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person, an_account
from tests.api.mail import Ground
from tests.api.test_isolation import ids_of

#: Names that end like an id, or stand for one, and name nothing that is kept here.
_NAMES_NOTHING = {
    "content_id",  # of a part within a message
    "client_id",  # at somebody else's provider
    "bcc/members",  # addresses
    "cc/members",
    "to/members",
}
#: A draft is saved with each key that is pressed: whom it names is looked for when it is sent.
_KEPT_UNTIL_SENT = {
    ("/drafts/{draft_id}", name) for name in ("identity_id", "in_reply_to", "forward_of")
}
_STANDS_FOR_ONE = {"in_reply_to", "forward_of", "members"}


def fields(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Method, path and field of each place in a body where an id is taken."""
    schemas: dict[str, Any] = document["components"]["schemas"]

    def within(schema: Any, above: tuple[str, ...], known: frozenset[str]) -> Iterator[str]:
        if (reference := schema.get("$ref")) is not None:
            name = reference.rpartition("/")[2]
            if name not in known:
                yield from within(schemas[name], above, known | {name})
        for either in ("anyOf", "oneOf", "allOf"):
            for one in schema.get(either, ()):
                yield from within(one, above, known)
        if "items" in schema:
            yield from within(schema["items"], above, known)
        for field, one in schema.get("properties", {}).items():
            place = "/".join((*above, field))
            is_id = field.endswith(("_id", "_ids")) or field in _STANDS_FOR_ONE
            if is_id and not {field, place} & _NAMES_NOTHING:
                yield place
            yield from within(one, (*above, field), known)

    for path, item in document["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None and operation["security"]:
                for field in sorted(set(within(body["schema"], (), frozenset()))):
                    yield method, path.removeprefix("/api/v1"), field


async def made(person: Person, path: str, body: dict[str, Any]) -> str:
    answer = await person.http.post(path, json=body)
    assert answer.is_success, (path, answer.text)
    return answer.json()["id"]


async def test_no_body_reaches_what_is_another_tenants(
    api: Api, ada: Person, ground: Ground
) -> None:
    hers = await ids_of(api, ada, ground)
    account = {"account_id": hers["account"]}
    hers["identity"] = await made(
        ada, f"/accounts/{hers['account']}/identities", {"email": "also@example.org"}
    )
    async with api.person() as eve:
        field = await eve.connects()
        state = structs.replace(field.state(), thread_id=uuid7())
        message = field.message("Mine", state=state)
        await api.hears(field.mailboxes(), field.page(message))
        own = {"account_id": shown(Kind.ACCOUNT, field.account_id)}
        writes = own | {"to": ["g@example.org"], "text": "x"}
        draft = await made(eve, "/drafts", writes)
        webhook = await made(eve, "/webhooks", {"url": "https://example.org/"})
        saved = await made(eve, "/saved-searches", {"name": "x", "q": "x"})
        mine = shown(Kind.MESSAGE, message.message_id)
        of_writing: dict[str, dict[str, Any]] = {
            "identity_id": {"identity_id": hers["identity"]},
            "in_reply_to": {"in_reply_to": hers["message"]},
            "forward_of": {"forward_of": hers["message"]},
            "attachments/upload_id": {"attachments": [{"upload_id": hers["upload"]}]},
        }
        read = {"keywords": {"seen": True}}
        several = {"account_ids": [hers["account"]]}
        bodies: dict[tuple[str, str, str], dict[str, Any]] = {
            ("put", "/accounts/{account_id}/sharing", "members"): {
                "members": [ada.tokens["user"]["id"]]
            },
            ("post", "/connect-links", "account_id"): account,
            ("post", "/drafts", "account_id"): account,
            ("post", "/drafts", "message_id"): {"message_id": hers["message"]},
            ("post", "/exports", "account_ids"): several,
            ("post", "/mailboxes", "account_id"): account | {"path": "Eve"},
            ("patch", "/messages/{message_id}", "mailbox_id"): {"mailbox_id": hers["mailbox"]},
            ("patch", "/threads/{thread_id}", "mailbox_id"): {"mailbox_id": hers["mailbox"]},
            ("post", "/messages:batch", "message_ids"): {
                "message_ids": [mine, hers["message"]],
                "change": read,
            },
            ("post", "/messages:batch", "change/mailbox_id"): {
                "message_ids": [mine],
                "change": {"mailbox_id": hers["mailbox"]},
            },
            ("post", "/saved-searches", "account_ids"): {"name": "y", "q": "y"} | several,
            ("patch", "/saved-searches/{saved_search_id}", "account_ids"): several,
            ("post", "/search", "account_ids"): {"q": "private"} | several,
            ("post", "/submissions", "account_id"): writes | account,
            ("post", "/submissions", "raw_upload_id"): own | {"raw_upload_id": hers["upload"]},
            ("post", "/tokens", "account_ids"): {"name": "x", "scopes": ["mail:read"]} | several,
            ("post", "/webhooks", "account_ids"): {"url": "https://example.org/"} | several,
            ("patch", "/webhooks/{webhook_id}", "account_ids"): several,
            ("post", "/webhooks/{webhook_id}:skip", "account_id"): account,
            ("post", "/messages:batch", "query/account_id"): {"query": account, "change": read},
            **{
                ("post", "/messages:batch", f"query/{kind}_id"): {
                    "query": {f"{kind}_id": hers[kind]} | whose,
                    "change": read,
                }
                for kind, whose in (("mailbox", {}), ("thread", own))
            },
            **{
                (method, path, field): beside | body
                for method, path, beside in (
                    ("post", "/drafts", writes),
                    ("put", "/drafts/{draft_id}", {"to": ["g@example.org"]}),
                    ("patch", "/drafts/{draft_id}", {}),
                    ("post", "/submissions", writes),
                )
                for field, body in of_writing.items()
            },
        }
        document = (await eve.http.get("/openapi.json")).json()
        assert set(fields(document)) == set(bodies), "a field that takes an id is not tried"
        ids = {
            "account_id": own["account_id"],
            "draft_id": draft,
            "message_id": mine,
            "thread_id": shown(Kind.THREAD, message.state.thread_id),
            "saved_search_id": saved,
            "webhook_id": webhook,
        }
        before = (await eve.http.get("/events")).json()["next_cursor"]
        for (method, path, name), body in bodies.items():
            answer = await eve.http.request(method, path.format_map(ids), json=body)
            assert hers["account"] not in answer.text, (path, name)
            if (path, name) in _KEPT_UNTIL_SENT and answer.status_code == 200:
                # What is being written is not judged; what is to be sent is.
                answer = await eve.http.post(f"/drafts/{draft}/send", json={})
                await eve.http.patch(f"/drafts/{draft}", json={name: None})
            if name == "query/thread_id":  # of one's own account, which has no such thread
                assert answer.json()["jobs"][0]["total"] == 0, answer.text
                continue
            said = answer.json()
            codes = {said["code"], *(error["code"] for error in said.get("errors", ()))}
            assert "not_found" in codes, (method, path, name, answer.text)
        # And nothing came of it, on either side.
        after = await eve.items("/events", after=before)
        assert {event["type"] for event in after} <= {"draft.updated", "job.done"}
        assert await eve.items("/submissions") == []
    told = {event["type"] for event in await ada.events()}
    assert not {kind for kind in told if kind.startswith(("draft", "export", "webhook"))}
    assert [one["name"] for one in await ada.items("/accounts")] == [an_account()["name"]]
