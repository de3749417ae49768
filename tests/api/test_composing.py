"""What the api makes of a message that somebody writes, before sender gets it."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from msgspec import structs

from services.api.store.uploads import PIECE_BYTES
from shared.contracts.envelope import Caller, decode
from shared.contracts.ids import Kind, read, shown
from shared.contracts.intent import CarryIntent, Mark
from shared.contracts.mail import Address, Attachment, ContentAnswer, MessageContent, ReadContent
from shared.contracts.submission import (
    Check,
    Fate,
    Group,
    PreviewSubmission,
    ReadUpload,
    Recipient,
    SendMessage,
    SubmissionChanged,
    SubmissionPreview,
    SubmissionState,
    UploadPiece,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground

ADA = Address("Ada", "ada@example.org")
GRACE = Address("Grace", "grace@example.org")


def a_letter(ground: Ground, **more: Any) -> dict[str, Any]:
    return {
        "account_id": shown(Kind.ACCOUNT, ground.account_id),
        "to": ["grace@example.org"],
        "text": "Hello",
        **more,
    }


async def sent(api: Api, ada: Person, ground: Ground, **more: Any) -> SendMessage:
    answer = await ada.http.post("/submissions", json=a_letter(ground, **more))
    assert answer.status_code == 202, answer.text
    *_, row = await api.rows("outbox", "position")
    return decode(row["body"], SendMessage)


async def upload(ada: Person, data: bytes, name: str = "notes.txt") -> str:
    answer = await ada.http.post("/uploads", files={"file": (name, data, "text/plain")})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def an_original(api: Api, ground: Ground, **content: Any) -> str:
    """A message that Grace wrote to Ada and Bob; its id."""
    values: dict[str, Any] = {
        "sender": GRACE,
        "to": (ADA, Address("", "bob@example.org")),
        "cc": (Address("Carl", "carl@example.org"),),
        "references": ("1@example.org",),
        **content,
    }
    message = ground.message("Lunch", **values)
    said = structs.replace(message.content, message_id="2@example.org")
    message = structs.replace(message, content=said)
    await api.hears(ground.mailboxes(), ground.page(message))
    return shown(Kind.MESSAGE, message.message_id)


def words(text: str, html: str | None = None) -> ContentAnswer:
    return ContentAnswer(
        content=MessageContent(
            text=text,
            html=html,
            headers=(),
            text_characters=len(text),
            html_characters=len(html or ""),
        )
    )


async def test_all_that_a_message_can_be_is_handed_to_sender(
    api: Api, ada: Person, ground: Ground
) -> None:
    in_an_hour = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    command = await sent(
        api,
        ada,
        ground,
        to=["grace@example.org", {"group": "Team", "members": ["eve@example.net"]}],
        bcc=[{"group": "Hidden", "members": ["zed@example.net"]}],
        reply_to=["Office <office@example.org>"],
        headers={"X-Campaign": "spring"},
        priority="high",
        read_receipt=True,
        send_at=in_an_hour.isoformat(),
        expires_at=(in_an_hour + timedelta(hours=1)).isoformat(),
        attachments=[
            {"content": b64encode(b"soup").decode(), "name": "menu.txt"},
            {"upload_id": await upload(ada, b"x" * 10), "content_id": "1@x", "inline": True},
        ],
    )
    assert command.sender == ADA
    assert command.to_groups == (Group(name="Team", members=(Address("", "eve@example.net"),)),)
    assert command.bcc == (Address("", "zed@example.net"),)
    assert command.reply_to == (Address("Office", "office@example.org"),)
    assert [(one.name, one.value) for one in command.headers] == [("X-Campaign", "spring")]
    assert command.priority == "high"
    assert command.read_receipt_to == ADA
    assert command.send_at == in_an_hour
    assert [
        (one.name, one.size_bytes, one.content_id, one.inline) for one in command.enclosures
    ] == [("menu.txt", 4, None, False), ("notes.txt", 10, "1@x", True)]
    [shown_] = await ada.items("/submissions", state="scheduled")
    assert shown_["to_groups"] == [
        {"group": "Team", "members": [{"name": "", "email": "eve@example.net"}]}
    ]
    assert shown_["next_attempt_at"] == in_an_hour.isoformat().replace("+00:00", "Z")
    assert await ada.items("/submissions", state=["queued", "held"]) == []


async def test_sender_reads_what_is_attached_and_then_it_is_let_go(
    api: Api, ada: Person, ground: Ground
) -> None:
    data = bytes(range(256)) * 2000
    upload_id = await upload(ada, data, "b.bin")
    command = await sent(api, ada, ground, attachments=[{"upload_id": upload_id}])
    assert (await ada.http.delete(f"/uploads/{upload_id}")).json()["code"] == "upload_in_use"
    caller = Caller(tenant_id=ground.tenant_id, account_ids=(ground.account_id,))
    stranger = Caller(tenant_id=uuid4(), account_ids=(ground.account_id,))

    async def piece(caller: Caller, number: int) -> bytes | None:
        upload = command.enclosures[0].upload_id
        query = ReadUpload(caller=caller, upload_id=upload, piece=number)
        return (await api.asked_by("sender", query, UploadPiece)).data

    assert await piece(caller, 0) == data[:PIECE_BYTES]
    assert await piece(caller, 1) == data[PIECE_BYTES:]
    assert await piece(caller, 2) is None
    assert await piece(stranger, 0) is None

    await api.hears(told(ground, command, SubmissionState.QUEUED))
    assert (await ada.http.get(f"/uploads/{upload_id}")).json()["used"]
    await api.hears(told(ground, command, SubmissionState.QUEUED, revision=2, size_bytes=700_000))
    assert not (await ada.http.get(f"/uploads/{upload_id}")).json()["used"]


def told(
    ground: Ground,
    command: SendMessage,
    state: SubmissionState,
    *,
    revision: int = 1,
    size_bytes: int = 0,
) -> SubmissionChanged:
    return SubmissionChanged(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        submission_id=command.submission_id,
        revision=revision,
        state=state,
        message_id="x@example.org",
        size_bytes=size_bytes,
        recipients=(Recipient(email="grace@example.org", fate=Fate.ACCEPTED),),
    )


async def test_an_answer_goes_to_whom_it_should_and_continues_the_conversation(
    api: Api, ada: Person, ground: Ground
) -> None:
    original = await an_original(api, ground)
    words_of_grace = words("Shall we?\n> Earlier\n", "<html><body><p>Shall <b>we</b>?</p></body>")
    letter = {"in_reply_to": original, "to": [], "html": "<p>Yes</p>", "text": "Yes"}
    async with api.answering("sync", ReadContent, *[words_of_grace] * 3):
        command = await sent(api, ada, ground, **letter, quote=True)
        assert command.to == (GRACE,)
        assert command.cc == ()
        everybody = await sent(api, ada, ground, **letter, reply_all=True)
        assert everybody.to == (GRACE,)
        assert everybody.cc == (
            Address("", "bob@example.org"),
            Address("Carl", "carl@example.org"),
        )
        chosen = await sent(api, ada, ground, **{**letter, "to": ["x@example.org"], "subject": "X"})
        assert (chosen.to, chosen.subject) == ((Address("", "x@example.org"),), "X")
    assert command.subject == "Re: Lunch"
    assert command.in_reply_to == ("2@example.org",)
    assert command.references == ("1@example.org", "2@example.org")
    assert command.text is not None
    assert command.text.endswith("Grace wrote:\n> Shall we?\n>> Earlier\n")
    assert command.html is not None
    assert command.html.endswith('<blockquote type="cite"><p>Shall <b>we</b>?</p></blockquote>')


async def test_an_answer_goes_where_the_original_wants_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    office = Address("Office", "office@example.org")
    original = await an_original(api, ground, reply_to=(office,))
    mine = await an_original(api, ground, sender=ADA, to=(GRACE,), cc=())
    async with api.answering("sync", ReadContent, words("a"), words("b")):
        command = await sent(api, ada, ground, in_reply_to=original, to=[])
        assert command.to == (office,)
        again = await sent(api, ada, ground, in_reply_to=mine, to=[])
        assert again.to == (GRACE,)


async def test_what_is_passed_on_has_its_words_and_files(
    api: Api, ada: Person, ground: Ground
) -> None:
    original = await an_original(
        api,
        ground,
        attachments=(
            Attachment(number=1, name="a.pdf", content_type="application/pdf", size_bytes=6),
        ),
    )
    message_id = read(Kind.MESSAGE, original)
    await api.fills_bucket(ground.account_id, message_id, 1, b"%PDF-1")
    await api.fills_bucket(ground.account_id, message_id, 0, b"From: grace@example.org\r\n\r\nx")
    async with api.answering("sync", ReadContent, words("Shall we?"), words("Shall we?")):
        inline = await sent(api, ada, ground, forward_of=original, text="See below")
        whole = await sent(api, ada, ground, forward_of=original, forward_as="attachment")
    assert inline.subject == "Fwd: Lunch"
    assert inline.in_reply_to == ()
    assert inline.references == ("1@example.org", "2@example.org")
    assert inline.text is not None
    assert inline.text.startswith("See below\n\n---------- Forwarded message")
    assert "From: Grace <grace@example.org>\n" in inline.text
    assert inline.text.endswith("\n\nShall we?")
    assert [(one.name, one.size_bytes) for one in inline.enclosures] == [("a.pdf", 6)]
    assert [(one.name, one.content_type) for one in whole.enclosures] == [
        ("Lunch.eml", "message/rfc822")
    ]
    assert whole.text == "Hello"


async def test_what_was_answered_or_passed_on_is_marked_once_it_is_accepted(
    api: Api, ada: Person, ground: Ground
) -> None:
    original = await an_original(api, ground)
    async with api.answering("sync", ReadContent, words("a"), words("b")):
        answer = await sent(api, ada, ground, in_reply_to=original)
        forward = await sent(api, ada, ground, forward_of=original)
    await api.hears(told(ground, answer, SubmissionState.QUEUED))
    assert await _marks(api) == []
    accepted = told(ground, answer, SubmissionState.ACCEPTED, revision=2)
    await api.hears(accepted, accepted)
    await api.hears(structs.replace(accepted, revision=3, filed=True))
    assert await _marks(api) == [{"\\Answered"}]
    await api.hears(told(ground, forward, SubmissionState.PARTIALLY_ACCEPTED, revision=2))
    assert await _marks(api) == [{"\\Answered"}, {"$Forwarded"}]
    async with api.answering("sync", ReadContent, words("a")):
        shown_ = (await ada.http.get(f"/messages/{original}")).json()
    assert shown_["keywords"] == ["$Forwarded", "\\Answered"]


async def _marks(api: Api) -> list[set[str]]:
    commands = [
        decode(row["body"], CarryIntent)
        for row in await api.rows("outbox", "position")
        if row["subject"] == CarryIntent.channel
    ]
    changes = [step.change for command in commands for step in command.steps]
    return [set(change.add) for change in changes if isinstance(change, Mark)]


async def test_a_message_that_is_brought_whole_goes_to_whom_it_names(
    api: Api, ada: Person, ground: Ground
) -> None:
    raw = (
        b"From: =?utf-8?q?Ad=C3=A4?= <ada@example.org>\r\nTo: Grace <grace@example.org>,\r\n"
        b" bob@example.org\r\nBcc: eve@example.net\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\nHi"
    )
    account = shown(Kind.ACCOUNT, ground.account_id)
    body = {"account_id": account, "raw": b64encode(raw).decode()}
    answer = await ada.http.post("/submissions", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["subject"] == "Grüße"
    *_, row = await api.rows("outbox", "position")
    command = decode(row["body"], SendMessage)
    assert command.raw is not None
    assert command.raw.size_bytes == len(raw)
    assert command.sender == Address("Adä", "ada@example.org")
    assert [one.email for one in (*command.to, *command.bcc)] == [
        "grace@example.org",
        "bob@example.org",
        "eve@example.net",
    ]
    uploaded = {
        "account_id": account,
        "raw_upload_id": await upload(ada, raw),
        "to": ["zed@example.net"],
    }
    answer = await ada.http.post("/submissions", json=uploaded)
    assert answer.json()["to"] == [{"name": "", "email": "zed@example.net"}]
    for wrong, code in (
        ({**body, "raw": b64encode(b"no header").decode()}, "validation_failed"),
        ({**body, "raw": "%%%"}, "validation_failed"),
        ({**body, "subject": "Both"}, "validation_failed"),
        ({**body, "raw": b64encode(raw.replace(b"ada@", b"eve@")).decode()}, "sender_not_allowed"),
    ):
        answer = await ada.http.post("/submissions", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(
    api: Api, ada: Person, ground: Ground
) -> None:
    before = len(await api.rows("outbox", "position"))
    preview = SubmissionPreview(
        checks=(Check(name="recipients", passed=True),),
        message_id="1@example.org",
        sender="ada@example.org",
        recipients=("grace@example.org",),
        size_bytes=4,
        mime=b"Date",
    )
    async with api.answering("sender", PreviewSubmission, preview) as asked:
        answer = await ada.http.post("/submissions", json=a_letter(ground, dry_run=True))
    assert answer.status_code == 200
    assert asked[0].message.text == "Hello"
    assert answer.json()["mime"] == "Date"
    assert answer.json()["checks"][0] == {
        "name": "recipients",
        "passed": True,
        "code": None,
        "detail": "",
    }
    assert await ada.items("/submissions") == []
    assert len(await api.rows("outbox", "position")) == before
    answer = await ada.http.post("/submissions", json=a_letter(ground, dry_run=True))
    assert (answer.status_code, answer.json()["code"]) == (503, "preview_unavailable")


async def test_what_cannot_be_is_refused_with_its_place(
    api: Api, ada: Person, ground: Ground
) -> None:
    nothing = str(UUID(int=1))
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for more, code, pointer in (
        ({"attachments": [{}]}, "validation_failed", "/attachments/0"),
        ({"attachments": [{"upload_id": "upl_1"}]}, "not_found", "/attachments/0/upload_id"),
        ({"attachments": [{"content": "x"}]}, "validation_failed", "/attachments/0/content"),
        ({"in_reply_to": f"msg_{nothing}"}, "not_found", "/in_reply_to"),
        ({"forward_of": shown(Kind.MESSAGE, UUID(int=1))}, "not_found", "/forward_of"),
        ({"identity_id": shown(Kind.IDENTITY, UUID(int=1))}, "not_found", "/identity_id"),
        ({"from": "eve@example.net"}, "sender_not_allowed", "/from"),
        ({"from": "eve"}, "validation_failed", "/from"),
        ({"headers": {"Bcc": "x@example.org"}}, "validation_failed", ""),
        ({"headers": {"X-A": "a\r\nBcc: x"}}, "validation_failed", "/headers/X-A"),
        ({"to": [{"group": "a\nb", "members": []}]}, "validation_failed", "/to/0"),
        ({"to": [{"group": "Team", "members": []}]}, "validation_failed", ""),
        ({"send_at": "tomorrow"}, "validation_failed", "/send_at"),
        ({"send_at": "2026-11-27T10:00:00"}, "validation_failed", "/send_at"),
        ({"send_at": later, "expires_at": later}, "validation_failed", ""),
        ({"undo_seconds": 1e9}, "validation_failed", "/undo_seconds"),
    ):
        answer = await ada.http.post("/submissions", json=a_letter(ground, **more))
        assert answer.status_code in (404, 422), more
        assert answer.json()["code"] == code, more
        assert answer.json()["errors"][0].get("pointer", "") == pointer, (more, answer.json())
    assert await ada.items("/submissions") == []
    async with api.person() as eve:
        theirs = await upload(eve, b"secret")
        letter = a_letter(ground, attachments=[{"upload_id": theirs}])
        answer = await ada.http.post("/submissions", json=letter)
        assert answer.json()["code"] == "not_found"


async def test_a_repeated_request_uploads_nothing_twice(
    api: Api, ada: Person, ground: Ground
) -> None:
    letter = a_letter(ground, attachments=[{"content": "eA==", "name": "x.txt"}])
    key = {"Idempotency-Key": "k"}
    first = await ada.http.post("/submissions", json=letter, headers=key)
    again = await ada.http.post("/submissions", json=letter, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert len(await api.rows("upload", "created_at")) == 1
