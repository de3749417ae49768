import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from services.api.domain import logbook
from services.api.domain.logbook import EventType
from services.api.domain.refusals import Refused
from services.api.http.bodies import Body
from services.api.http.examples import ANSWERS, BODIES
from services.api.http.examples_of_messages import PARTS
from shared.contracts.account import AccountChanged, AccountProgressed, AccountState
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Arrival, MailboxRenumbered, MailboxRole
from shared.contracts.submission import Fate, SubmissionChanged, SubmissionState
from tests.api.conftest import Api, Person, an_account
from tests.api.mail import NOON, Ground
from tests.api.test_bad_input import is_a_problem

ROOT = Path(__file__).parents[2]
EVENTS = (ROOT / "docs" / "api-events.md").read_text("utf-8")
Document = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def document(api: Api) -> Document:
    async with api.client() as client:
        return (await client.get("/openapi.json")).json()


@pytest_asyncio.fixture(loop_scope="session")
async def page(api: Api) -> str:
    async with api.client() as client:
        root = str(client.base_url).removesuffix("/api/v1/")
        return (await client.get(root + "/docs")).text


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path.removeprefix("/api/v1"), operation


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for one in value.values():
                yield from references(one)
        case list():
            for one in value:
                yield from references(one)
        case _:
            return


def documented(operation: dict[str, Any]) -> set[str]:
    return {
        code
        for answer in operation["responses"].values()
        for code in answer.get("content", {})
        .get("application/problem+json", {})
        .get("examples", ())
    }


# --- The document ---------------------------------------------------------------------------------


async def test_every_reference_leads_somewhere_and_no_name_tells_of_modules(
    document: Document,
) -> None:
    components = document["components"]
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "examples")
        for name in components[kind]
    }
    named = set(references(document))
    assert named <= there
    for name in components["schemas"]:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
    assert {"MessagePage", "FoundPage", "SubmissionPage"} <= set(components["schemas"])


async def test_the_document_accepts_the_mail_passwords_that_are_accepted(
    document: Document, ada: Person
) -> None:
    schemas = document["components"]["schemas"]
    for server in ("ImapServer", "SmtpServer", "ServerChange"):
        password = schemas[server]["properties"]["password"]
        assert [
            one["minLength"] for one in (password, *password.get("anyOf", ())) if "minLength" in one
        ] == [1]
    assert schemas["Registration"]["properties"]["password"]["minLength"] == 8
    assert "minLength" not in schemas["Credentials"]["properties"]["password"]

    body = an_account()
    body["imap"] = body["imap"] | {"password": "x"}
    assert (await ada.http.post("/accounts", json=body)).status_code == 201


async def test_only_signing_in_and_signed_links_need_no_token(document: Document) -> None:
    assert document["security"] == [{"bearer": []}, {"cookie": []}]
    without = {
        path for _, path, operation in operations(document) if operation.get("security") == []
    }
    signing_in = {
        *("/auth/register", "/auth/login", "/auth/session", "/auth/refresh"),
        *("/auth/accept-invitation", "/auth/forgot-password", "/auth/reset-password"),
        "/auth/verify-email",
    }
    assert without == {
        *signing_in,
        *(
            "/proxy/image",
            "/proxy/part",
            "/deletions/{deletion_id}",
            "/exports/{export_id}/files/{number}",
        ),
    }


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("AccountState", AccountState),
        ("SubmissionState", SubmissionState),
        ("Fate", Fate),
        ("MailboxRole", MailboxRole),
    ],
)
async def test_words_are_listed_where_words_are_answered(
    document: Document, page: str, schema: str, words: type[AccountState]
) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas[schema]["enum"]) == {word.value for word in words}
    assert f"#/components/schemas/{schema}" in set(references(schemas)), "somebody has it"
    for word in words:
        assert f"<code>{word.value}</code>" in page


async def test_each_operation_says_what_it_refuses(document: Document) -> None:
    codes: set[str] = set()
    for method, path, operation in operations(document):
        answers = operation["responses"]
        refusals = {status: answer for status, answer in answers.items() if status[0] != "2"}
        for answer in refusals.values():
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["examples"]
        expected = {"503", "default"}
        expected |= {"400", "413", "422"} if "requestBody" in operation else set()
        expected |= {"401"} if operation.get("security") != [] else set()
        expected |= {"404"} if "{" in path else set()
        assert expected <= set(refusals), (method, path)
        codes |= documented(operation)
    assert {refused.code for refused in Refused.__subclasses__()} <= codes
    examples = document["components"]["examples"]
    for code in codes:
        assert examples[code]["value"]["code"] == code
        assert examples[code]["value"]["detail"]


async def test_what_is_refused_is_documented(api: Api, ada: Person, document: Document) -> None:
    there = {(method, path): documented(one) for method, path, one in operations(document)}
    credentials = {"email": ada.email, "password": "correct horse battery"}
    nobody = shown(Kind.ACCOUNT, uuid4())
    questions: list[tuple[str, str, dict[str, Any], str | None]] = [
        ("post", "/auth/register", {"json": credentials}, None),
        ("post", "/auth/login", {"json": credentials | {"password": "wrong"}}, None),
        ("post", "/auth/refresh", {"json": {"refresh_token": "x"}}, None),
        ("post", "/accounts", {"content": b"{"}, None),
        ("post", "/accounts", {"json": {}}, None),
        ("patch", f"/accounts/{nobody}", {"json": {"name": "x"}}, "/accounts/{account_id}"),
        ("get", "/messages", {}, None),
        ("get", "/messages", {"params": {"account_id": nobody, "cursor": "x"}}, None),
        ("get", "/search", {"params": {"q": "a", "limit": "many"}}, None),
        ("get", "/events", {"params": {"after": "0-0"}}, None),
        ("post", "/submissions", {"json": {"account_id": nobody, "to": ["x@y"]}}, None),
        ("get", "/submissions", {"headers": {"Authorization": ""}}, None),
    ]
    for method, path, asked, template in questions:
        answer = await ada.http.request(method, path, **asked)
        assert is_a_problem(answer)["code"] in there[method, template or path], (method, path)


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_an_example_of_a_body_is_accepted(model: type[Body]) -> None:
    model.model_validate(BODIES[model])


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
async def test_an_example_of_an_answer_is_shown_whole(document: Document, answer: Struct) -> None:
    name = type(answer).__name__
    reference = {"$ref": f"#/components/schemas/{name}"}
    contents = [
        content
        for _, _, operation in operations(document)
        for one in operation["responses"].values()
        for content in one.get("content", {}).values()
        if content["schema"] == reference
    ]
    assert contents
    for content in contents:
        assert msgspec.convert(content["example"], type(answer)) == answer
        assert set(document["components"]["schemas"][name]["required"]) <= set(content["example"])


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
async def test_what_may_be_in_a_message_is_shown_by_an_example(
    document: Document, page: str, part: Struct
) -> None:
    name = type(part).__name__
    [example] = document["components"]["schemas"][name]["examples"]
    assert msgspec.convert(example, type(part)) == part
    assert f"#/components/schemas/{name}" in set(references(document)), "somebody has it"
    assert escape(msgspec.json.encode(example).decode()) in page


async def test_search_is_explained_where_it_is_offered(document: Document, page: str) -> None:
    search = document["paths"]["/api/v1/search"]["get"]
    about = next(one["description"] for one in search["parameters"] if one["name"] == "q")
    operators = (
        "from: to: cc: bcc: subject: body: filename: list: has:attachment is:unread is:read "
        "is:starred is:answered before: after: older_than: newer_than: larger: smaller: "
        "rfc822msgid:"
    )
    for word in (*operators.split(), '"a phrase"', "prefix*", "-not", "OR", "( )"):
        assert word in about, word
    assert "<code>has:attachment</code>" in page


async def test_the_page_says_how_to_prove_who_you_are(page: str) -> None:
    assert page.count("With <code>Authorization: Bearer …</code>") > 10
    assert page.count("Without a token") == 12
    assert "<code>access_token</code>" in page
    assert "docs/api-events.md" in page
    assert "<code>email_taken</code>" in page


# --- What is wrong, in our words ------------------------------------------------------------------

_LIBRARY = re.compile(r"pydantic|Input should|validation|tuple|str\b|`|dictionary|instance", re.I)


@pytest.mark.parametrize(
    ("path", "body", "pointer", "code", "message"),
    [
        ("/submissions", {"to": "x@y"}, "/to", "wrong_type",
         'This must be a list of addresses, like ["ada@example.org"].'),
        ("/submissions", {"cc": {}}, "/cc", "wrong_type",
         'This must be a list of addresses, like ["ada@example.org"].'),
        ("/submissions", {"to": ["a@b.org"] * 501}, "/to", "too_long",
         "This must have at most 500 entries."),
        ("/submissions", {"subject": 5}, "/subject", "wrong_type", "This must be text."),
        ("/submissions", {"subjekt": "x"}, "/subjekt", "unknown_field", "There is no such field."),
        ("/auth/register", {"password": "short"}, "/password", "too_short",
         "This must have at least 8 characters."),
        ("/auth/register", {"password": "x" * 2000}, "/password", "too_long",
         "This must have at most 1024 characters."),
        ("/auth/register", {}, "/email", "missing", "This field is required."),
        ("/auth/register", [], "", "wrong_type", "This must be an object."),
        ("/accounts", {"imap": {"password": ""}}, "/imap/password", "too_short",
         "This must not be empty."),
        ("/accounts", {"imap": {"security": "ssl"}}, "/imap/security", "not_a_choice",
         "This must be one of: tls, starttls or none."),
        ("/accounts", {"imap": {"port": "x"}}, "/imap/port", "wrong_type",
         "This must be a whole number."),
        ("/accounts", {"imap": {"port": 0}}, "/imap/port", "too_small",
         "This must be 1 or more."),
        ("/accounts", {"imap": {"port": 65536}}, "/imap/port", "too_large",
         "This must be 65535 or less."),
        ("/accounts", {"imap": {"verify_certificate": 7}}, "/imap/verify_certificate", "wrong_type",
         "This must be true or false."),
        ("/accounts", {"imap": 7}, "/imap", "wrong_type", "This must be an object."),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_field_is_said_in_our_words(
    ada: Person, path: str, body: Any, pointer: str, code: str, message: str
) -> None:
    answer = await ada.http.post(path, json=body)
    assert answer.status_code == 422
    errors = is_a_problem(answer)["errors"]
    assert {"pointer": pointer, "message": message, "code": code} in errors
    for error in errors:
        assert not _LIBRARY.search(error["message"]), error


@pytest.mark.parametrize(
    ("path", "params", "error"),
    [
        ("/search", {}, ("q", "missing", "This parameter is required.")),
        ("/search", {"q": ""}, ("q", "too_short", "This must not be empty.")),
        ("/search", {"q": "x" * 1001},
         ("q", "too_long", "This must have at most 1000 characters.")),
        ("/submissions", {"limit": "many"},
         ("limit", "wrong_type", "This must be a whole number.")),
        ("/submissions", {"limit": "0"}, ("limit", "too_small", "This must be 1 or more.")),
        ("/submissions", {"limit": "201"}, ("limit", "too_large", "This must be 200 or less.")),
        ("/events", {"wait": "x"}, ("wait", "wrong_type", "This must be a number.")),
        (
            "/messages",
            {},
            ("mailbox_id", "one_of_three", "Name a mailbox_id, a role or an account_id."),
        ),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_parameter_is_said_in_our_words(
    ada: Person, path: str, params: dict[str, str], error: tuple[str, str, str]
) -> None:
    answer = await ada.http.get(path, params=params)
    assert answer.status_code == 422
    parameter, code, message = error
    assert is_a_problem(answer)["errors"] == [
        {"message": message, "parameter": parameter, "code": code}
    ]


async def test_a_change_that_would_bare_a_password_names_the_setting(
    api: Api, ada: Person, ground: Ground
) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    change = {"smtp": {"security": "none", "password": "open-sesame"}}
    answer = await ada.http.patch(f"/accounts/{account}", json=change)
    problem = is_a_problem(answer)
    assert problem["code"] == "plaintext_password_refused"
    assert problem["detail"] == (
        "This Postbus does not send passwords without TLS (API_ALLOW_PLAINTEXT_PASSWORDS)."
    )


# --- The events -----------------------------------------------------------------------------------


def test_the_event_document_lists_every_type_there_is() -> None:
    listed = re.findall(r"^(?:### |\| )`([a-z_.]+)`", EVENTS, re.MULTILINE)
    assert sorted(listed) == sorted(kind.value for kind in EventType)


def test_every_state_of_a_submission_has_its_event() -> None:
    for state in SubmissionState:
        assert EventType(f"submission.{state.value}")


def test_the_event_document_shows_what_events_carry() -> None:
    shown_of = {
        kind: msgspec.json.decode(example)
        for kind, example in re.findall(
            r"^### `([a-z_.]+)`$.*?```json\n(.*?)```", EVENTS, re.MULTILINE | re.DOTALL
        )
    }
    every_state = re.search(r"All carry the same:\n\n```json\n(.*?)```", EVENTS, re.DOTALL)
    assert every_state
    shown_of["submission.deferred"] = msgspec.json.decode(every_state[1])
    ground = Ground(uuid4(), uuid4())
    whose: dict[str, Any] = {"tenant_id": ground.tenant_id, "account_id": ground.account_id}
    entries = [
        logbook.of_account_state(AccountChanged(**whose, revision=1, state=AccountState.LIVE)),
        logbook.of_progress(AccountProgressed(**whose, revision=1, done=1, total=2)),
        logbook.of_submission_state(
            SubmissionChanged(
                **whose,
                submission_id=uuid4(),
                revision=1,
                state=SubmissionState.DEFERRED,
                message_id="a@b",
                recipients=(),
            )
        ),
        logbook.of_renumbering(
            MailboxRenumbered(
                **whose, mailbox_id=ground.inbox, revision=1, matched=1, fetched=0, vanished=0
            )
        ),
        *(
            logbook.of_mailbox(
                kind,
                ground.mailboxes().mailboxes[0],
                **whose,
                event_id=uuid4(),
                n=0,
                occurred_at=NOON,
            )
            for kind in ("created", "updated", "deleted")
        ),
    ]
    for entry in entries:
        assert set(msgspec.json.decode(entry.body)) == set(shown_of[entry.type]), entry.type


async def test_the_event_document_shows_what_a_message_goes_through(
    api: Api, ada: Person, ground: Ground
) -> None:
    first = ground.message()
    old = ground.message(arrival=Arrival.BACKFILL)
    await api.hears(
        ground.mailboxes(),
        ground.page(first),
        ground.page(old),
        ground.changed(first.message_id, 2, ground.state(None, "\\seen")),
        ground.changed(first.message_id, 3, ground.state(ground.archive, "\\seen")),
        ground.vanished(first.message_id, 4),
    )
    account = shown(Kind.ACCOUNT, ground.account_id)
    await ada.http.patch(f"/accounts/{account}", json={"name": "Countess"})
    await ada.http.post("/submissions", json={"account_id": account, "to": ["g@example.org"]})
    await ada.http.delete(f"/accounts/{account}")
    told = {event["type"]: set(event["data"]) for event in await ada.events()}
    assert set(told) == {
        *("account.created", "account.updated", "account.deleted", "mailbox.created"),
        *("message.received", "messages.added", "message.updated", "message.moved"),
        *("message.deleted", "submission.created"),
    }
    for kind, members in told.items():
        section = EVENTS.partition(f"### `{kind}`\n")[2]
        example = section.partition("```json\n")[2].partition("```")[0]
        assert set(msgspec.json.decode(example)) == members, kind


async def test_the_event_document_is_linked_where_one_would_look(page: str) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    follow = readme.partition("**Follow.**")[2].partition("\n\n")[0]
    assert "(docs/api-events.md)" in follow
    for kind in EventType:
        assert f"<code>{kind.value}</code>" in page
