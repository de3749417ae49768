"""Copies of sent messages and of drafts, filed over a connection of their own, in a slot as every
other."""

from datetime import datetime
from uuid import UUID

import structlog
from msgspec import Struct

from services.sync.actions.file_drafts import file_drafts
from services.sync.actions.file_sent_copies import file_sent_copies
from services.sync.actions.filing import NotFiled
from services.sync.actions.give_back_slot import give_back_slot
from services.sync.actions.learn_connections import learn_connections
from services.sync.actions.sign_in import sign_in
from services.sync.actions.take_turn import Wait, take_turn
from services.sync.domain.tokens import TokenError
from services.sync.imap.errors import ImapError
from services.sync.store import accounts, draft_copies, sent_copies
from services.sync.store.accounts import Account
from services.sync.store.connections import FILING, Slot
from services.sync.store.draft_copies import DraftCopy
from services.sync.store.sent_copies import SentCopy
from services.sync.workers.shepherd import Shepherd
from services.sync.workers.trouble import trouble_of
from services.sync.world import World
from shared.db import Pool
from shared.seal import SealError

log = structlog.get_logger()


class Due(Struct, frozen=True, kw_only=True):
    """What is to be filed of one account."""

    sent: list[SentCopy] = []
    drafts: list[DraftCopy] = []

    async def wait(self, until: datetime, reason: str, pool: Pool) -> None:
        async with pool.acquire() as connection:
            sent = [copy.submission_id for copy in self.sent]
            await sent_copies.wait(connection, sent, until, reason)
            drafts = [copy.draft_id for copy in self.drafts]
            await draft_copies.wait(connection, drafts, until, reason)

    async def put_off(self, seconds: float, trouble: str, pool: Pool) -> None:
        async with pool.acquire() as connection:
            sent = [copy.submission_id for copy in self.sent]
            await sent_copies.put_off(connection, sent, seconds, trouble)
            drafts = [copy.draft_id for copy in self.drafts]
            await draft_copies.put_off(connection, drafts, seconds, trouble)

    @property
    def attempts(self) -> int:
        return max(copy.attempts for copy in (*self.sent, *self.drafts))


async def file_copies_of_account(
    account_id: UUID, due: Due, world: World, shepherd: Shepherd
) -> None:
    """File these, or remember when to try again."""
    async with world.pool.acquire() as connection:
        account = await accounts.account(connection, account_id)
    if account is None:
        return
    turn = await _turn(account, world)
    if isinstance(turn, Wait) and turn.for_the_only:
        # Whoever keeps the account listens for hours on the only connection it may have.
        await shepherd.hang_up(account.account_id)
        turn = await _turn(account, world)
    try:
        if isinstance(turn, Wait):
            log.info("copy waits", account_id=str(account_id), reason=turn.reason)
            await due.wait(turn.until, turn.reason, world.pool)
        else:
            await _file(due, account, turn, world)
    finally:
        world.accounts_changed.set()  # whoever hung up comes back
        shepherd.wake(account.account_id)


async def _turn(account: Account, world: World) -> Slot | Wait:
    # One account at a time: what this replica has of another slot for it was left over.
    return await take_turn(
        account, FILING, world.replica_id, world.settings, world.pool, alone=True
    )


async def _file(due: Due, account: Account, slot: Slot, world: World) -> None:
    try:
        async with sign_in(
            account, world.settings, world.keys, world.pool, world.refresher
        ) as session:
            if due.sent:
                await file_sent_copies(due.sent, account, session, world.bus, world.pool)
            if due.drafts:
                await file_drafts(due.drafts, session, world.bus, world.pool)
    except (ImapError, SealError, TokenError, NotFiled) as error:
        if (
            isinstance(error, ImapError)
            and trouble_of(error, account.endpoint.host).refuses_connection
        ):
            await learn_connections(account, slot, world.pool)
        pause = min(
            world.settings.retry_seconds * 2 ** min(due.attempts, 20),
            world.settings.retry_longest_seconds,
        )
        log.warning("copy not filed", account_id=str(account.account_id), error=str(error))
        await due.put_off(pause, str(error), world.pool)
    finally:
        await give_back_slot(slot, world.pool)
    world.relay.wake()
