"""How an account's settings go to the services that dial: with the password sealed for each."""

from dataclasses import dataclass
from uuid import UUID

from msgspec import Struct

from services.api.store.accounts import Account
from shared.contracts.account import ConnectSender, ConnectSync, Endpoint
from shared.seal import Credential, Destination, Purpose, SealingKeys, seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Seals:
    """The public keys of the two services that may open passwords."""

    sync: SealingKeys
    sender: SealingKeys


class Login(Struct, frozen=True, kw_only=True):
    """Where an account's server is, as whom to sign in, and with what."""

    endpoint: Endpoint
    password: str

    def __repr__(self) -> str:
        return f"Login({self.endpoint}, password hidden)"


def connect_sync(tenant_id: UUID, account: Account, password: str, seals: Seals) -> ConnectSync:
    """The order to keep a copy of this account."""
    return ConnectSync(
        tenant_id=tenant_id,
        account_id=account.account_id,
        version=account.version,
        email=account.email,
        endpoint=account.imap,
        sealed=sealed_for(
            tenant_id, account.account_id, "imap", account.imap, password, seals.sync
        ),
    )


def connect_sender(tenant_id: UUID, account: Account, password: str, seals: Seals) -> ConnectSender:
    """The order to send for this account."""
    return ConnectSender(
        tenant_id=tenant_id,
        account_id=account.account_id,
        version=account.version,
        email=account.email,
        endpoint=account.smtp,
        sealed=sealed_for(
            tenant_id, account.account_id, "smtp", account.smtp, password, seals.sender
        ),
    )


def sealed_for(
    tenant_id: UUID,
    account_id: UUID,
    purpose: Purpose,
    endpoint: Endpoint,
    password: str,
    keys: SealingKeys,
) -> bytes:
    """A password that only the service with these keys can open, for this place only."""
    place = Destination.of(endpoint, tenant_id=tenant_id, account_id=account_id, purpose=purpose)
    return seal(Credential.at(place, password), keys)
