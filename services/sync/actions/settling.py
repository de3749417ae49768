"""How an intent ends: once, with the state of each message that it was about."""

from collections.abc import Sequence

from services.sync.store import intents
from shared.bus import tell
from shared.contracts.intent import CarryIntent, Exempt, IntentSettled, Outcome
from shared.contracts.mail import ChangedMessage, ChangeReason, State
from shared.db import Connection


async def settle(
    connection: Connection,
    command: CarryIntent,
    outcome: Outcome,
    *,
    reason: str | None = None,
    server_said: str | None = None,
    exempt: Sequence[Exempt] = (),
) -> None:
    """The intent ends like this, and that is told; nothing for one that ended before."""
    if not await intents.settle(connection, [command.intent_id]):
        return
    ids = sorted({message_id for step in command.steps for message_id in step.message_ids})
    found = await intents.where(connection, command.account_id, ids)
    await tell(
        connection,
        IntentSettled(
            tenant_id=command.tenant_id,
            account_id=command.account_id,
            intent_id=command.intent_id,
            outcome=outcome,
            reason=reason,
            server_said=server_said and server_said[:500],
            messages=tuple(
                ChangedMessage(
                    message_id=one.message_id,
                    revision=one.revision,
                    state=State(
                        mailbox_id=one.mailbox_id,
                        keywords=one.keywords,
                        labels=one.labels,
                        thread_id=one.thread_id,
                    ),
                    reasons=frozenset({ChangeReason.OTHER}),
                )
                for one in found.values()
            ),
            vanished=tuple(
                await intents.vanished(
                    connection, command.account_id, [one for one in ids if one not in found]
                )
            ),
            exempt=tuple(exempt),
        ),
    )
