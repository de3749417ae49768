"""Look for traces of a message that may have been sent."""

from services.sync.domain.kept import kept_json
from services.sync.domain.traces import trace_of
from services.sync.store import traces
from shared.bus import tell
from shared.contracts.envelope import decode
from shared.contracts.mail import Content
from shared.contracts.submission import MessageSought, SeekMessage, Trace
from shared.db import Connection, Pool, in_transaction


async def seek_message(command: SeekMessage, pool: Pool) -> None:
    """Tell what there is of it in any mailbox of the tenant that we keep.

    Only what came through a server counts: a copy that we filed ourselves shows nothing.
    """

    async def work(connection: Connection) -> None:
        kept = await traces.conversations_with(connection, command.tenant_id, command.message_id)
        ours = await traces.appended_by_us(connection, [command.submission_id])
        found: list[Trace] = []
        for one in kept:
            kind = trace_of(
                decode(kept_json(one.content), Content),
                one.role,
                one.keywords,
                command.message_id,
                copy_is_ours=command.submission_id in ours and one.account_id == command.account_id,
            )
            if kind is not None:
                found.append(Trace(kind=kind, account_id=one.account_id, message_id=one.message_id))
        await tell(
            connection,
            MessageSought(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                submission_id=command.submission_id,
                traces=tuple(found),
            ),
        )

    await in_transaction(pool, work)
