"""Copies of sent messages, filed over a connection of their own, in a slot as every other."""

import structlog

from services.sync.actions.file_sent_copies import NotFiled, file_sent_copies
from services.sync.actions.give_back_slot import give_back_slot
from services.sync.actions.learn_connections import learn_connections
from services.sync.actions.sign_in import sign_in
from services.sync.actions.take_turn import Wait, take_turn
from services.sync.imap.errors import ImapError
from services.sync.store import accounts, sent_copies
from services.sync.store.accounts import Account
from services.sync.store.connections import FILING, Slot
from services.sync.store.sent_copies import SentCopy
from services.sync.workers.shepherd import Shepherd
from services.sync.workers.trouble import trouble_of
from services.sync.world import World
from shared.seal import SealError

log = structlog.get_logger()


async def file_copies_of_account(copies: list[SentCopy], world: World, shepherd: Shepherd) -> None:
    """File these, or remember when to try again."""
    async with world.pool.acquire() as connection:
        account = await accounts.account(connection, copies[0].account_id)
    if account is None:
        return
    turn = await _turn(account, world)
    if isinstance(turn, Wait) and turn.for_the_only:
        # Whoever keeps the account listens for hours on the only connection it may have.
        await shepherd.hang_up(account.account_id)
        turn = await _turn(account, world)
    try:
        if isinstance(turn, Wait):
            await _wait(copies, turn, world)
        else:
            await _file(copies, account, turn, world)
    finally:
        world.accounts_changed.set()  # whoever hung up comes back
        shepherd.wake(account.account_id)


async def _turn(account: Account, world: World) -> Slot | Wait:
    # One account at a time: what this replica has of another slot for it was left over.
    return await take_turn(
        account, FILING, world.replica_id, world.settings, world.pool, alone=True
    )


async def _wait(copies: list[SentCopy], turn: Wait, world: World) -> None:
    log.info("copy waits", account_id=str(copies[0].account_id), reason=turn.reason)
    async with world.pool.acquire() as connection:
        await sent_copies.wait(
            connection, [copy.submission_id for copy in copies], turn.until, turn.reason
        )


async def _file(copies: list[SentCopy], account: Account, slot: Slot, world: World) -> None:
    try:
        async with sign_in(account, world.settings, world.keys, world.pool) as session:
            await file_sent_copies(copies, session, world.bus, world.pool)
    except (ImapError, SealError, NotFiled) as error:
        if (
            isinstance(error, ImapError)
            and trouble_of(error, account.endpoint.host).refuses_connection
        ):
            await learn_connections(account, slot, world.pool)
        attempts = max(copy.attempts for copy in copies)
        pause = min(
            world.settings.retry_seconds * 2 ** min(attempts, 20),
            world.settings.retry_longest_seconds,
        )
        log.warning("copy not filed", account_id=str(account.account_id), error=str(error))
        async with world.pool.acquire() as connection:
            await sent_copies.put_off(
                connection, [copy.submission_id for copy in copies], pause, str(error)
            )
    finally:
        await give_back_slot(slot, world.pool)
    world.relay.wake()
