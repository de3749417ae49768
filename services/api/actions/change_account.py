"""Change how an account is called or reached."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs
from uuid_utils.compat import uuid7

from services.api.actions.connecting import Seals, connect_sender, connect_sync
from services.api.domain import logbook
from services.api.domain.refusals import NotFound, PlaintextRefused, SecretRequired
from services.api.store import accounts, log
from services.api.store.accounts import Account
from shared.bus import tell
from shared.contracts.account import AccountState, Endpoint, Security
from shared.contracts.envelope import Caller, Command
from shared.db import Pool, tenant_transaction


class EndpointChange(Struct, frozen=True, kw_only=True):
    """What is to be different about a server; what is not set stays."""

    host: str | UnsetType = UNSET
    port: int | UnsetType = UNSET
    security: Security | UnsetType = UNSET
    username: str | UnsetType = UNSET
    verify_certificate: bool | UnsetType = UNSET
    password: str | UnsetType = UNSET

    def applied_to(self, endpoint: Endpoint) -> Endpoint:
        changes: dict[str, Any] = structs.asdict(self)
        del changes["password"]
        return structs.replace(
            endpoint, **{name: value for name, value in changes.items() if value is not UNSET}
        )

    def __repr__(self) -> str:
        return "EndpointChange(password hidden)"


class AccountChange(Struct, frozen=True, kw_only=True):
    """What is to be different about an account; what is not set stays."""

    name: str | UnsetType = UNSET
    any_sender: bool | UnsetType = UNSET
    in_doubt: str | UnsetType = UNSET
    imap: EndpointChange = EndpointChange()
    smtp: EndpointChange = EndpointChange()


async def change_account(
    pool: Pool,
    caller: Caller,
    seals: Seals,
    account_id: UUID,
    change: AccountChange,
    *,
    allow_plaintext: bool,
) -> tuple[Account, dict[UUID, int]]:
    """The account as it now is; its ids and its mail stay. A server that changed is tried anew.

    Raises NotFound; SecretRequired where a password would go elsewhere than it was given for;
    PlaintextRefused.
    """
    now = datetime.now(UTC)
    async with tenant_transaction(pool, caller) as connection:
        account = await accounts.hold(connection, caller.tenant_id, account_id)
        if account is None:
            raise NotFound
        if account.oauth_provider is not None:
            _must_give_both(account, change)
        imap = _endpoint(account.imap, change.imap, "imap", allow_plaintext)
        smtp = _endpoint(account.smtp, change.smtp, "smtp", allow_plaintext)
        changed = structs.replace(
            account,
            name=account.name if change.name is UNSET else change.name,
            any_sender=account.any_sender if change.any_sender is UNSET else change.any_sender,
            in_doubt=account.in_doubt if change.in_doubt is UNSET else change.in_doubt,
            imap=imap or account.imap,
            smtp=smtp or account.smtp,
            version=account.version + 1 if imap or smtp else account.version,
            oauth_provider=None if imap or smtp else account.oauth_provider,
            updated_at=now,
        )
        if imap:
            changed = structs.replace(
                changed, state=AccountState.CONNECTING.value, reason=None, server_said=None
            )
        orders: list[Command] = []
        if imap and change.imap.password is not UNSET:
            orders.append(connect_sync(caller.tenant_id, changed, change.imap.password, seals))
        if smtp and change.smtp.password is not UNSET:
            orders.append(connect_sender(caller.tenant_id, changed, change.smtp.password, seals))
        if not orders and structs.replace(changed, updated_at=account.updated_at) == account:
            return account, {}
        await accounts.change(connection, caller.tenant_id, changed)
        await tell(connection, *orders)
        updated = logbook.of_account(
            "updated",
            tenant_id=caller.tenant_id,
            account_id=account_id,
            event_id=uuid7(),
            occurred_at=now,
            more={"name": changed.name, "email": changed.email, "state": changed.state},
        )
        return changed, await log.append(connection, [updated])


def _must_give_both(account: Account, change: AccountChange) -> None:
    """An account that signs in by consent gets passwords for both of its servers, or none."""
    given = {"imap": change.imap, "smtp": change.smtp}
    missing = [name for name, one in given.items() if one.password is UNSET]
    if 0 < len(missing) < len(given):
        raise SecretRequired(pointers=tuple(f"/{name}/password" for name in missing))


def _endpoint(
    known: Endpoint, change: EndpointChange, name: str, allow_plaintext: bool
) -> Endpoint | None:
    """The server to connect to from now on, or None when nothing about it changes."""
    endpoint = change.applied_to(known)
    if change.password is UNSET:
        if endpoint != known:
            # We cannot: the password was sealed for the old place and is not kept here. We
            # would not: whoever holds a stolen session could send it to a server of theirs.
            raise SecretRequired(pointers=(f"/{name}/password",))
        return None
    if endpoint.security is Security.NONE and not allow_plaintext:
        raise PlaintextRefused(pointers=(f"/{name}/security",))
    return endpoint
