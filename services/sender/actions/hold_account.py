"""A tenant is suspended, or goes on."""

from services.sender import store
from services.sender.domain.rest import state_of_trouble
from shared.bus import tell
from shared.contracts.account import HoldSender, SendingChanged, SendingState
from shared.db import Connection, Pool, in_transaction


class NotConnected(Exception):
    """The account itself has not come yet."""


async def hold_account(command: HoldSender, pool: Pool) -> None:
    """Let what the account sends wait where it is, or go on; raises NotConnected.

    What is on the wire ends first: nobody can say of it that it was not sent.
    """

    async def work(connection: Connection) -> None:
        if not await store.account_is_known(connection, command.tenant_id, command.account_id):
            raise NotConnected
        hold = await store.put_hold(connection, command)
        if hold is None:
            return
        trouble = None if command.held else hold.trouble
        await tell(
            connection,
            SendingChanged(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                revision=hold.revision,
                state=_state(trouble, held=command.held),
                reason="tenant_suspended" if command.held else trouble,
                server_said=hold.trouble_said if trouble else None,
                retry_at=hold.rests_until if trouble else None,
            ),
        )

    await in_transaction(pool, work)


def _state(trouble: str | None, *, held: bool) -> SendingState:
    if held:
        return SendingState.SUSPENDED
    return state_of_trouble(trouble) if trouble else SendingState.READY
