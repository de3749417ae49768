"""What the event log says, and what it does not.

The log tells what happened to somebody who follows the mail: a message that came (`received`
when it is news to the world, `added` with a whole page when it was there before us), was marked,
moved, or went. It says nothing of a message whose content has not come, nothing of one that is
between two mailboxes, and nothing of what is only told again.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from services.api.domain.told import Told, Transition
from shared.contracts.account import AccountChanged, AccountProgressed, SendingChanged
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import (
    Arrival,
    ChangedMessage,
    MailboxRenumbered,
    SyncedMailbox,
    SyncedMessage,
    VanishedMessage,
)
from shared.contracts.submission import SubmissionChanged

BODY_BYTES = 8192
WHOLE_PAGE = -1  # the `n` of a row that speaks of a page, not of one message in it


class EventType(StrEnum):
    """What the log can say. docs/api-events.md tells of each."""

    MESSAGE_RECEIVED = "message.received"
    MESSAGES_ADDED = "messages.added"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_MOVED = "message.moved"
    MESSAGE_DELETED = "message.deleted"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_UPDATED = "account.updated"
    ACCOUNT_STATE_CHANGED = "account.state_changed"
    ACCOUNT_SENDING_CHANGED = "account.sending_changed"
    ACCOUNT_PROGRESS = "account.progress"
    ACCOUNT_DELETED = "account.deleted"
    MAILBOX_CREATED = "mailbox.created"
    MAILBOX_UPDATED = "mailbox.updated"
    MAILBOX_DELETED = "mailbox.deleted"
    MAILBOX_RENUMBERED = "mailbox.renumbered"
    JOB_PROGRESSED = "job.progressed"
    # One for each state that a job ends in.
    JOB_DONE = "job.done"
    JOB_PARTLY_DONE = "job.partly_done"
    JOB_FAILED = "job.failed"
    JOB_UNDONE = "job.undone"
    EXPORT_READY = "export.ready"
    CONNECT_LINK_COMPLETED = "connect_link.completed"
    DRAFT_CREATED = "draft.created"
    DRAFT_UPDATED = "draft.updated"
    DRAFT_DELETED = "draft.deleted"
    WEBHOOK_PAUSED = "webhook.paused"
    WEBHOOK_LOST = "webhook.lost"
    SUBMISSION_CREATED = "submission.created"
    # One for each SubmissionState.
    SUBMISSION_HELD = "submission.held"
    SUBMISSION_SCHEDULED = "submission.scheduled"
    SUBMISSION_QUEUED = "submission.queued"
    SUBMISSION_SENDING = "submission.sending"
    SUBMISSION_DEFERRED = "submission.deferred"
    SUBMISSION_ACCEPTED = "submission.accepted"
    SUBMISSION_PARTIALLY_ACCEPTED = "submission.partially_accepted"
    SUBMISSION_FAILED = "submission.failed"
    SUBMISSION_UNCERTAIN = "submission.uncertain"
    SUBMISSION_CANCELED = "submission.canceled"
    SUBMISSION_BOUNCED = "submission.bounced"
    SUBMISSION_COMPLAINED = "submission.complained"
    SUBMISSION_OTHER = "submission.other"


def is_audited(kind: str) -> bool:
    """Whether the audit tells of it where somebody did it.

    That mail was read, or is being written, it does not.
    """
    return kind != EventType.MESSAGE_UPDATED and not kind.startswith(("job.", "draft."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the log before it has its number."""

    tenant_id: UUID
    account_id: UUID | None
    event_id: UUID
    n: int = 0
    type: EventType
    occurred_at: datetime
    body: bytes
    actor: str | None = None  # JSON; None: on whose behalf the transaction is


def public_id(event_id: UUID, n: int) -> str:
    """The id by which a consumer knows that it has had this event: it stays the same for ever."""
    digest = hashlib.blake2b(
        event_id.bytes + n.to_bytes(2, "big", signed=True), digest_size=16
    ).digest()
    return shown(Kind.EVENT, UUID(bytes=digest))


def body_of(ids: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> bytes:
    """The body as JSON; when it would be too long, the ids alone."""
    whole = msgspec.json.encode({**ids, **(more or {})})
    return whole if len(whole) <= BODY_BYTES else msgspec.json.encode(dict(ids))


# --- Messages ---------------------------------------------------------------------------------


def of_arrivals(
    told: Iterable[Told[SyncedMessage]], transitions: Mapping[tuple[UUID, UUID], Transition]
) -> list[Entry]:
    """Each new message; the others a page at a time.

    Also of those that were known already: a retelling, which is no news, may have overtaken it.
    Whether it was logged before, the log knows.
    """
    entries: list[Entry] = []
    added: dict[UUID, list[Told[SyncedMessage]]] = {}
    for one in told:
        moved = transitions.get((one.tenant_id, one.message.message_id))
        if moved is None or not moved.after.known:
            continue
        if one.message.arrival is Arrival.NEW:
            entries.append(_received(one, moved))
        else:
            added.setdefault(one.event_id, []).append(one)
    for page in added.values():
        first = page[0]
        entries.append(
            Entry(
                tenant_id=first.tenant_id,
                account_id=first.account_id,
                event_id=first.event_id,
                n=WHOLE_PAGE,
                type=EventType.MESSAGES_ADDED,
                occurred_at=first.occurred_at,
                body=body_of(
                    {"account_id": shown(Kind.ACCOUNT, first.account_id), "count": len(page)},
                    {"message_ids": [shown(Kind.MESSAGE, one.message.message_id) for one in page]},
                ),
            )
        )
    return entries


def of_changes(
    told: Iterable[Told[ChangedMessage]], transitions: Mapping[tuple[UUID, UUID], Transition]
) -> list[Entry]:
    """Each message that is now marked or placed differently."""
    entries: list[Entry] = []
    for one in told:
        moved = transitions.get((one.tenant_id, one.message.message_id))
        if moved is not None:
            entries += _of_move(one, moved)
    return entries


def of_shown(
    event_id: UUID, occurred_at: datetime, transitions: Iterable[Transition], *, first: int = 0
) -> list[Entry]:
    """Each message that is shown otherwise now, because somebody wants it so, or in vain."""
    entries: list[Entry] = []
    for n, moved in enumerate(transitions, first):
        one = Told(
            tenant_id=moved.tenant_id,
            account_id=moved.account_id,
            event_id=event_id,
            n=n,
            occurred_at=occurred_at,
            attested_revision=0,
            message=VanishedMessage(message_id=moved.message_id, revision=0),
        )
        entries += _of_move(one, moved)
    return entries


def of_vanished(
    told: Iterable[Told[VanishedMessage]], transitions: Mapping[tuple[UUID, UUID], Transition]
) -> list[Entry]:
    """Each message that was there and is gone."""
    entries: list[Entry] = []
    for one in told:
        moved = transitions.get((one.tenant_id, one.message.message_id))
        if moved is None or moved.before is None or not moved.before.known or moved.after.known:
            continue
        entries.append(_entry(one, EventType.MESSAGE_DELETED, body_of(_message_ids(one))))
    return entries


def _of_move(one: Told[Any], moved: Transition) -> list[Entry]:
    before, after = moved.before, moved.after
    if before is None or not before.known or not after.known or after.mailbox_id is None:
        return []
    if before.mailbox_id != after.mailbox_id:
        kind = EventType.MESSAGE_MOVED
    elif (before.keywords, before.thread_id, before.labels) != (
        after.keywords,
        after.thread_id,
        after.labels,
    ):
        kind = EventType.MESSAGE_UPDATED
    else:
        return []
    return [_entry(one, kind, body_of(_message_ids(one), _state(moved)))]


def _received(one: Told[SyncedMessage], moved: Transition) -> Entry:
    content = one.message.content
    more = {
        **_state(moved),
        "subject": content.subject[:300],
        "from": None
        if content.sender is None
        else {"name": content.sender.name[:100], "email": content.sender.email[:320]},
        "received_at": content.received_at,
        "preview": content.preview[:200],
        "has_attachments": any(not part.inline for part in content.attachments),
    }
    return _entry(one, EventType.MESSAGE_RECEIVED, body_of(_message_ids(one), more))


def _message_ids(one: Told[Any]) -> dict[str, Any]:
    return _ids(Kind.MESSAGE, one.message.message_id, one.account_id)


def _state(moved: Transition) -> dict[str, Any]:
    after = moved.after
    return {
        "mailbox_id": after.mailbox_id and shown(Kind.MAILBOX, after.mailbox_id),
        "thread_id": after.thread_id and shown(Kind.THREAD, after.thread_id),
        "keywords": after.keywords,
        "labels": after.labels,
        "unread": after.unread,
    }


def _entry(one: Told[Any], kind: EventType, body: bytes) -> Entry:
    return Entry(
        tenant_id=one.tenant_id,
        account_id=one.account_id,
        event_id=one.event_id,
        n=one.n,
        type=kind,
        occurred_at=one.occurred_at,
        body=body,
    )


# --- Accounts, mailboxes, submissions -------------------------------------------------------------


def of_account(
    kind: str,
    *,
    tenant_id: UUID,
    account_id: UUID,
    event_id: UUID,
    occurred_at: datetime,
    more: Mapping[str, Any] | None = None,
) -> Entry:
    """What a person did to an account: created, updated, deleted."""
    return Entry(
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=event_id,
        type=EventType(f"account.{kind}"),
        occurred_at=occurred_at,
        body=body_of({"id": shown(Kind.ACCOUNT, account_id)}, more),
    )


def of_connect_link(
    *,
    tenant_id: UUID,
    link_id: UUID,
    account_id: UUID,
    repaired: bool,
    event_id: UUID,
    occurred_at: datetime,
) -> Entry:
    """Somebody connected a mailbox by a link."""
    return Entry(
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=event_id,
        type=EventType.CONNECT_LINK_COMPLETED,
        occurred_at=occurred_at,
        body=body_of(
            {
                "id": shown(Kind.CONNECT_LINK, link_id),
                "account_id": shown(Kind.ACCOUNT, account_id),
            },
            {"repaired": repaired},
        ),
    )


def of_account_state(event: AccountChanged) -> Entry:
    """An account is doing differently."""
    return of_account(
        "state_changed",
        tenant_id=event.tenant_id,
        account_id=event.account_id,
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        more={
            "state": event.state.value,
            "reason": event.reason,
            "server_said": event.server_said and event.server_said[:500],
        },
    )


def of_sending(event: SendingChanged) -> Entry:
    """An account can send, or cannot for now."""
    return of_account(
        "sending_changed",
        tenant_id=event.tenant_id,
        account_id=event.account_id,
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        more={
            "state": event.state.value,
            "reason": event.reason,
            "server_said": event.server_said and event.server_said[:500],
            "retry_at": event.retry_at,
        },
    )


def of_progress(event: AccountProgressed) -> Entry:
    """A first copy came this far."""
    return of_account(
        "progress",
        tenant_id=event.tenant_id,
        account_id=event.account_id,
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        more={
            "done": event.done,
            "total": event.total,
            "mailbox": event.mailbox and event.mailbox[:500],
            "ends_at": event.ends_at,
        },
    )


def of_mailbox(
    kind: str,
    mailbox: SyncedMailbox,
    *,
    tenant_id: UUID,
    account_id: UUID,
    event_id: UUID,
    n: int,
    occurred_at: datetime,
) -> Entry:
    """A mailbox was created, returned after it was gone, was updated (renamed), or deleted."""
    return Entry(
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=event_id,
        n=n,
        type=EventType.MAILBOX_CREATED
        if kind == "returned"  # whoever follows had let go of it
        else EventType(f"mailbox.{kind}"),
        occurred_at=occurred_at,
        body=body_of(
            _ids(Kind.MAILBOX, mailbox.mailbox_id, account_id),
            {
                "path": mailbox.path[:1000],
                "name": mailbox.name[:300],
                "role": mailbox.role and mailbox.role.value,
                "subscribed": mailbox.subscribed,
            },
        ),
    )


def of_renumbering(event: MailboxRenumbered) -> Entry:
    """A server numbered a mailbox anew."""
    return Entry(
        tenant_id=event.tenant_id,
        account_id=event.account_id,
        event_id=event.event_id,
        type=EventType.MAILBOX_RENUMBERED,
        occurred_at=event.occurred_at,
        body=body_of(
            _ids(Kind.MAILBOX, event.mailbox_id, event.account_id),
            {"matched": event.matched, "fetched": event.fetched, "vanished": event.vanished},
        ),
    )


def of_draft(
    kind: EventType,
    *,
    tenant_id: UUID,
    account_id: UUID,
    draft_id: UUID,
    event_id: UUID,
    occurred_at: datetime,
    more: Mapping[str, Any],
) -> Entry:
    """A message was begun, written on, or is no draft any more."""
    return Entry(
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=event_id,
        type=kind,
        occurred_at=occurred_at,
        body=body_of(_ids(Kind.DRAFT, draft_id, account_id), more),
    )


def of_submission(
    kind: str,
    *,
    tenant_id: UUID,
    account_id: UUID,
    submission_id: UUID,
    event_id: UUID,
    occurred_at: datetime,
    more: Mapping[str, Any],
) -> Entry:
    """A submission was created, or came to another state."""
    return Entry(
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=event_id,
        type=EventType(f"submission.{kind}"),
        occurred_at=occurred_at,
        body=body_of(_ids(Kind.SUBMISSION, submission_id, account_id), more),
    )


def of_submission_state(event: SubmissionChanged) -> Entry:
    """A submission came to another state."""
    return of_submission(
        event.state.value,
        tenant_id=event.tenant_id,
        account_id=event.account_id,
        submission_id=event.submission_id,
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        more={
            "state": event.state.value,
            "message_id": event.message_id[:500],
            "reason": event.reason,
            "server_said": event.server_said and event.server_said[:500],
            "attempts": event.attempts,
        },
    )


def of_job(
    kind: str,
    *,
    tenant_id: UUID,
    account_id: UUID,
    job_id: UUID,
    event_id: UUID,
    occurred_at: datetime,
    more: Mapping[str, Any],
) -> Entry:
    """A job came further, or ended."""
    return Entry(
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=event_id,
        n=WHOLE_PAGE,
        type=EventType(f"job.{kind}"),
        occurred_at=occurred_at,
        body=body_of(_ids(Kind.JOB, job_id, account_id), more),
    )


def of_export(
    *,
    tenant_id: UUID,
    export_id: UUID,
    account_ids: Iterable[UUID],
    event_id: UUID,
    occurred_at: datetime,
    more: Mapping[str, Any],
) -> list[Entry]:
    """Somebody takes mail along: told of each account, to whoever sees that one."""
    return [
        Entry(
            tenant_id=tenant_id,
            account_id=account_id,
            event_id=event_id,
            n=n,
            type=EventType.EXPORT_READY,
            occurred_at=occurred_at,
            body=body_of(_ids(Kind.EXPORT, export_id, account_id), more),
        )
        for n, account_id in enumerate(account_ids)
    ]


def of_webhook(
    kind: str,
    *,
    tenant_id: UUID,
    webhook_id: UUID,
    event_id: UUID,
    occurred_at: datetime,
    more: Mapping[str, Any],
) -> Entry:
    """A webhook was paused by us, or lost what it was not told in time."""
    return Entry(
        tenant_id=tenant_id,
        account_id=None,
        event_id=event_id,
        type=EventType(f"webhook.{kind}"),
        occurred_at=occurred_at,
        body=body_of({"id": shown(Kind.WEBHOOK, webhook_id)}, more),
    )


def _ids(kind: Kind, thing_id: UUID, account_id: UUID) -> dict[str, Any]:
    return {"id": shown(kind, thing_id), "account_id": shown(Kind.ACCOUNT, account_id)}
