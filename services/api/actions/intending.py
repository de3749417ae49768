"""An intent: shown at once, and handed to sync in the order of its account."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from services.api.actions.showing import overlay
from services.api.domain import logbook
from services.api.domain.logbook import Entry
from services.api.domain.told import tally
from services.api.store import changeable, intents, labels, mailboxes
from services.api.store.intents import Kept
from shared.bus import tell
from shared.contracts.intent import CarryIntent, MailboxChange, MessageChange, Step
from shared.db import Connection


class Intended(Struct, frozen=True, kw_only=True):
    """What an intent did to what is shown."""

    command: CarryIntent
    entries: list[Entry]  # for the log


async def intend(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    job_id: UUID,
    *,
    steps: Sequence[Step] = (),
    mailbox: MailboxChange | None = None,
    undoes: UUID | None = None,
    not_before: datetime | None = None,
    message_count: int | None = None,
) -> Intended:
    """Show what is wanted, and have it carried out. The messages are held by the caller.

    `message_count`: for how many messages of the job it counts, where that is not how many it is to
    change: what was as it is wanted needs no undoing.
    """
    ids = {one for step in steps for one in step.message_ids}
    command = CarryIntent(
        tenant_id=tenant_id,
        account_id=account_id,
        intent_id=uuid7(),
        seq=await intents.next_seq(connection, tenant_id, account_id),
        steps=tuple(steps),
        mailbox=mailbox,
        undoes=undoes,
        not_before=not_before,
    )
    await intents.add(
        connection,
        tenant_id,
        Kept(
            intent_id=command.intent_id,
            account_id=account_id,
            job_id=job_id,
            seq=command.seq,
            steps=command.steps,
            mailbox=mailbox,
            message_count=message_count,
        ),
    )
    if mailbox is not None:
        await changeable.show_pending(connection, tenant_id, mailbox.mailbox_id)
    transitions = await overlay(connection, {}, [(tenant_id, one) for one in sorted(ids)])
    await mailboxes.count(connection, tally(transitions.values()))
    await labels.follow(connection, transitions.values())
    await tell(connection, command)
    return Intended(
        command=command,
        entries=logbook.of_shown(
            command.event_id, command.occurred_at, [transitions[key] for key in sorted(transitions)]
        ),
    )


def steps_for(changes: Sequence[MessageChange], held: Collection[UUID]) -> tuple[Step, ...]:
    """These changes to each of these messages."""
    return tuple(Step(change=change, message_ids=tuple(held)) for change in changes)
