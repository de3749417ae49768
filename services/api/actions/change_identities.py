"""Somebody says who they write as."""

from collections.abc import Callable
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain.identities import Identity, with_address
from services.api.domain.refusals import IdentityFixed, IdentityTaken, NotFound
from services.api.store import accounts, identities
from services.api.store.accounts import Account
from shared.contracts.envelope import Caller
from shared.db import Connection, Pool, tenant_transaction

_MOST = 200


async def add_identity(
    pool: Pool, caller: Caller, account_id: UUID, made: Callable[[UUID], Identity]
) -> Identity:
    """A new one; raises NotFound, IdentityTaken."""
    async with tenant_transaction(pool, caller) as connection:
        account, known = await _held(connection, caller, account_id)
        identity = made(uuid7())
        if with_address(known, identity.email) is not None or len(known) >= _MOST:
            raise IdentityTaken(pointers=("/email",))
        await identities.put(connection, caller.tenant_id, identity, identity.name)
        return await _read(connection, caller, account, identity.identity_id)


async def change_identity(
    pool: Pool,
    caller: Caller,
    account_id: UUID,
    identity_id: UUID,
    changed: Callable[[Identity], Identity],
) -> Identity:
    """The same one, differently; raises NotFound, IdentityTaken, IdentityFixed."""
    async with tenant_transaction(pool, caller) as connection:
        account, known = await _held(connection, caller, account_id)
        before = _one(known, identity_id)
        after = changed(before)
        if after.email != before.email:
            if before.is_own:
                raise IdentityFixed(pointers=("/email",))
            others = [one for one in known if one is not before]
            if with_address(others, after.email) is not None:
                raise IdentityTaken(pointers=("/email",))
        # The own one is called as the account is, until it is given a name of its own.
        name = None if before.is_own and after.name == account.name else after.name
        await identities.put(connection, caller.tenant_id, after, name)
        return await _read(connection, caller, account, identity_id)


async def remove_identity(pool: Pool, caller: Caller, account_id: UUID, identity_id: UUID) -> None:
    """Nobody writes as this any more; raises NotFound, IdentityFixed."""
    async with tenant_transaction(pool, caller) as connection:
        _, known = await _held(connection, caller, account_id)
        if _one(known, identity_id).is_own:
            raise IdentityFixed
        await identities.remove(connection, caller.tenant_id, identity_id)


async def _held(
    connection: Connection, caller: Caller, account_id: UUID
) -> tuple[Account, list[Identity]]:
    account = await accounts.hold(connection, caller.tenant_id, account_id)
    if account is None:
        raise NotFound
    return account, await identities.of_account(connection, caller.tenant_id, account)


async def _read(
    connection: Connection, caller: Caller, account: Account, identity_id: UUID
) -> Identity:
    return _one(await identities.of_account(connection, caller.tenant_id, account), identity_id)


def _one(known: list[Identity], identity_id: UUID) -> Identity:
    for one in known:
        if one.identity_id == identity_id:
            return one
    raise NotFound
