"""Ask the services that dial whether an account works, and where it does not."""

import asyncio
from typing import TypeVar
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from services.api.actions.connecting import Login, Seals, sealed_for
from services.api.domain.refusals import NotFound, TestUnavailable
from services.api.store import accounts
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.trying import Tried, TryAnswer, TryImap, TrySmtp
from shared.db import Pool, tenant_transaction

T = TypeVar("T")


class TriedServers(Struct, frozen=True, kw_only=True):
    """How it went with each server; None for one that was not tried."""

    imap: Tried | None
    smtp: Tried | None


async def try_account(pool: Pool, bus: Bus, caller: Caller, account_id: UUID) -> TriedServers:
    """Both servers of an account, with the passwords that are kept for them."""
    async with tenant_transaction(pool, caller) as connection:
        if await accounts.by_id(connection, caller.tenant_id, account_id) is None:
            raise NotFound
    imap, smtp = await asyncio.gather(
        _ask(bus, TryImap(caller=caller, account_id=account_id)),
        _ask(bus, TrySmtp(caller=caller, account_id=account_id)),
    )
    return TriedServers(imap=imap, smtp=smtp)


async def try_logins(
    bus: Bus, caller: Caller, seals: Seals, *, imap: Login | None, smtp: Login | None
) -> TriedServers:
    """Servers of an account that is not kept yet, if it ever will be."""
    account_id = uuid7()

    async def try_imap(login: Login) -> Tried:
        sealed = sealed_for(
            caller.tenant_id, account_id, "imap", login.endpoint, login.password, seals.sync
        )
        query = TryImap(
            caller=caller, account_id=account_id, endpoint=login.endpoint, sealed=sealed
        )
        return await _ask(bus, query)

    async def try_smtp(login: Login) -> Tried:
        sealed = sealed_for(
            caller.tenant_id, account_id, "smtp", login.endpoint, login.password, seals.sender
        )
        query = TrySmtp(
            caller=caller, account_id=account_id, endpoint=login.endpoint, sealed=sealed
        )
        return await _ask(bus, query)

    async def nothing() -> None:
        return None

    tried_imap, tried_smtp = await asyncio.gather(
        try_imap(imap) if imap else nothing(), try_smtp(smtp) if smtp else nothing()
    )
    return TriedServers(imap=tried_imap, smtp=tried_smtp)


async def _ask(bus: Bus, query: TryImap | TrySmtp) -> Tried:
    try:
        answer = await bus.ask(query, TryAnswer)
    except NoAnswer as error:
        raise TestUnavailable(retry_after_seconds=5) from error
    if answer.tried is None:  # an account that the service has not heard of yet
        raise TestUnavailable(retry_after_seconds=2)
    return answer.tried
