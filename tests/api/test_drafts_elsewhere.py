"""Drafts that are written here and in another program, turn by turn or at once."""

from typing import Any
from uuid import UUID, uuid4

from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.follow_drafts import follow_drafts
from services.api.actions.passing_on import Writer
from services.api.domain.elsewhere import DraftHere, DraftThere, WrittenOn, written_on
from shared.contracts.envelope import Caller, Problem
from shared.contracts.ids import Kind, read, shown
from shared.contracts.intent import CarryIntent, Destroy
from shared.contracts.mail import (
    Attachment,
    ContentAnswer,
    MailboxRole,
    ReadContent,
    SyncedMessage,
)
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_composing import GRACE, words
from tests.api.test_drafts import a_draft, copies, told


def a_place(
    message_id: UUID, name: str | None = None, subject: str = "", to: str = ""
) -> DraftThere:
    people = frozenset({to} if to else ())
    return DraftThere(message_id=message_id, rfc_message_id=name, subject=subject, people=people)


def a_writing(**differently: Any) -> DraftHere:
    values: dict[str, Any] = {
        "draft_id": uuid7(),
        "version": 3,
        "there": uuid7(),
        "there_version": 3,
        "replaces": None,
        "copy_asked": True,
        "subject": "Lunch",
        "people": frozenset({"grace@example.org"}),
    }
    return DraftHere(**(values | differently))


def name_of(draft: DraftHere, version: int) -> str:
    return f"{draft.draft_id}.{version}@example.org"


def test_our_own_copies_take_each_others_place_and_nothing_is_followed() -> None:
    draft = a_writing(version=4)
    copy = a_place(uuid7(), name_of(draft, 4), "Lunch")
    assert written_on([draft], [copy]) == []
    # The new one is not heard of yet; another draft is called the same.
    assert written_on([draft], [a_place(uuid7(), subject="Lunch")]) == []


def test_what_comes_for_what_goes_is_known_by_its_id_its_subject_or_its_people() -> None:
    draft = a_writing()
    for successor in (
        a_place(uuid7(), name_of(draft, 3)),
        a_place(uuid7(), "x@elsewhere", "Lunch "),
        a_place(uuid7(), None, "Dinner", "grace@example.org"),
    ):
        others = [a_place(uuid7(), "y@elsewhere", "Taxes"), a_place(uuid7(), None)]
        assert written_on([draft], [*others, successor]) == [
            WrittenOn(
                draft_id=draft.draft_id,
                message_id=successor.message_id,
                version=3,
                here_too=False,
            )
        ]


def test_where_it_cannot_be_told_nothing_is_done() -> None:
    older = a_place(uuid7(), subject="Lunch")
    draft = a_writing()
    assert draft.there is not None
    assert written_on([draft], [older]) == []
    two = [a_place(uuid7(), subject="Lunch"), a_place(uuid7(), subject="Lunch")]
    assert written_on([draft], two) == []
    assert written_on([draft], [a_place(draft.there), two[0]]) == []
    edited_by_another = a_writing(there=two[0].message_id, replaces=two[0].message_id)
    assert written_on([draft, edited_by_another], two[:1]) == []
    nameless = a_writing(subject=" ", people=frozenset())
    assert written_on([nameless], [a_place(uuid7()), a_place(uuid7(), subject=" ")]) == []


class Mailbox:
    """The account's mailbox for drafts, as sync tells of it, and another program at work in it."""

    def __init__(self, api: Api, ada: Person, ground: Ground) -> None:
        self.api, self.ada, self.ground = api, ada, ground

    async def is_known(self) -> "Mailbox":
        mailboxes = self.ground.mailboxes()
        inbox, box = mailboxes.mailboxes
        box = structs.replace(box, role=MailboxRole.DRAFTS)
        await self.api.hears(structs.replace(mailboxes, mailboxes=(inbox, box)))
        return self

    async def has(self, rfc_id: str, subject: str = "Lunch", **content: Any) -> SyncedMessage:
        message = self.ground.message(
            subject,
            to=(GRACE,),
            state=self.ground.state(self.ground.archive, "\\Draft"),
            message_id=uuid7(),
            **content,
        )
        named = structs.replace(message.content, message_id=rfc_id)
        message = structs.replace(message, content=named)
        await self.api.hears(self.ground.page(message))
        return message

    async def loses(self, message: SyncedMessage) -> None:
        await self.api.hears(self.ground.vanished(message.message_id, revision=9))

    async def follow(self, said: str | ContentAnswer) -> None:
        """Whoever is to follow reads this."""

        def writer_for(caller: Caller, person_id: UUID) -> Writer:
            world = self.api.world
            return Writer(
                pool=world.request_pool,
                bus=world.bus,
                bucket=world.bucket,
                caller=caller,
                person_id=person_id,
                most_unused_bytes=10**6,
            )

        answer = words(said) if isinstance(said, str) else said
        async with self.api.answering("sync", ReadContent, answer):
            while await follow_drafts(self.api.world.pool, writer_for) is not None:
                pass

    async def copied(self, draft: dict[str, Any], version: int) -> SyncedMessage:
        """Our copy of this version came."""
        copy = await self.has(f"{read(Kind.DRAFT, draft['id'])}.{version}@example.org")
        await self.follow("never asked for")
        return copy


async def test_a_draft_follows_what_another_program_makes_of_its_copy(
    api: Api, ada: Person, ground: Ground
) -> None:
    mailbox = await Mailbox(api, ada, ground).is_known()
    draft = await a_draft(ada, ground, subject="Lunch", text="At noon?", to=["grace@example.org"])
    place = f"/drafts/{draft['id']}"
    await copies(api)
    ours = await mailbox.copied(draft, 1)

    part = Attachment(number=1, name="menu.txt", content_type="text/plain", size_bytes=4)
    theirs = await mailbox.has("one@elsewhere", attachments=(part,))
    await api.fills_bucket(ground.account_id, theirs.message_id, 1, b"soup")
    await mailbox.follow("too early: the old one is there")
    assert (await ada.http.get(place)).json()["version"] == 1
    await mailbox.loses(ours)
    await mailbox.follow("At one?")
    now = await ada.http.get(place)
    assert (now.json()["version"], now.json()["text"]) == (2, "At one?")
    assert [one["name"] for one in now.json()["attachments"]] == [None]
    last = (await ada.events())[-1]
    assert (last["type"], last["data"]["version"]) == ("draft.updated", 2)
    assert len(await copies(api)) == 1, "theirs is the copy until something changes here"

    # Once more, and with a program that uses the Message-ID again.
    again = await mailbox.has("one@elsewhere")
    await mailbox.loses(theirs)
    await mailbox.follow("At two?")
    assert (await ada.http.get(place)).json()["text"] == "At two?"
    late = await ada.http.patch(place, json={"text": "x"}, headers={"If-Match": '"2"'})
    assert late.json()["code"] == "changed_meanwhile"

    # Written on here: our copy takes the place of theirs.
    await ada.http.patch(place, json={"text": "At three"}, headers={"If-Match": '"3"'})
    assert [one.version for one in await copies(api)] == [1, 4]
    [removal] = await told(api, CarryIntent)
    [step] = removal.steps
    assert (step.change, step.message_ids) == (Destroy(), (again.message_id,))
    await mailbox.copied(draft, 4)
    assert (await ada.http.get(place)).json()["text"] == "At three"
    assert len(await ada.items("/drafts")) == 1


async def test_what_is_written_in_two_places_at_once_becomes_two_drafts(
    api: Api, ada: Person, ground: Ground
) -> None:
    mailbox = await Mailbox(api, ada, ground).is_known()
    draft = await a_draft(ada, ground, subject="Lunch", text="At noon?", to=["grace@example.org"])
    await copies(api)
    ours = await mailbox.copied(draft, 1)
    await ada.http.patch(f"/drafts/{draft['id']}", json={"text": "At three"})
    # The other program goes on under the same Message-ID, which our next copy would sweep away.
    theirs = await mailbox.has(f"{read(Kind.DRAFT, draft['id'])}.1@example.org")
    await mailbox.loses(ours)
    assert len(await copies(api)) == 1, "no copy is made before it is known who wrote what"
    await mailbox.follow("At one?")
    texts = {one["text"]: one["id"] for one in await ada.items("/drafts")}
    assert set(texts) == {"At three", "At one?"}
    assert texts["At three"] == draft["id"]
    assert (await ada.events())[-1]["type"] == "draft.created"
    assert {one.message.text for one in (await copies(api))[1:] if one.message} == set(texts)
    [removal] = await told(api, CarryIntent)
    assert removal.steps[0].message_ids == (theirs.message_id,)


async def test_a_draft_of_another_program_that_is_sent_at_once_leaves_its_mailbox(
    api: Api, ada: Person, ground: Ground
) -> None:
    mailbox = await Mailbox(api, ada, ground).is_known()
    theirs = await mailbox.has("one@elsewhere")
    async with api.answering("sync", ReadContent, words("At noon")):
        begun = await ada.http.post(
            "/drafts", json={"message_id": shown(Kind.MESSAGE, theirs.message_id)}
        )
    sent = await ada.http.post(f"/drafts/{begun.json()['id']}/send", json={})
    assert sent.status_code == 202, sent.text
    [removal] = await told(api, CarryIntent)
    assert removal.steps[0].message_ids == (theirs.message_id,)


async def test_a_draft_waits_for_a_text_that_cannot_be_had_now(
    api: Api, ada: Person, ground: Ground
) -> None:
    mailbox = await Mailbox(api, ada, ground).is_known()
    draft = await a_draft(ada, ground, subject="Lunch", text="At noon?", to=["grace@example.org"])
    await copies(api)
    ours = await mailbox.copied(draft, 1)
    await mailbox.has(f"{uuid4()}@elsewhere")
    await mailbox.loses(ours)
    await mailbox.follow(ContentAnswer(problem=Problem(code="account_busy")))
    place = f"/drafts/{draft['id']}"
    assert (await ada.http.get(place)).json()["text"] == "At noon?"
    await api.admin.execute("UPDATE api.drafts_changed SET look_at = now()")
    await mailbox.follow("At one?")
    assert (await ada.http.get(place)).json()["text"] == "At one?"
    assert await api.rows("drafts_changed", "look_at") == []
