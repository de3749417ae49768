"""Who somebody writes as."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from shared.contracts.mail import Address


class Identity(Struct, frozen=True, kw_only=True):
    """An address that an account's owner writes from, and how its messages end."""

    identity_id: UUID
    account_id: UUID
    name: str
    email: str
    reply_to: tuple[Address, ...] = ()
    signature_text: str = ""
    signature_html: str = ""
    is_default: bool = False

    @property
    def is_own(self) -> bool:
        """The account's own address, which it has as long as it is there."""
        return self.identity_id == self.account_id

    @property
    def address(self) -> Address:
        return Address(self.name, self.email)


def default_of(identities: Sequence[Identity]) -> Identity:
    """Who writes when nobody says who; the account's own comes first."""
    return next((one for one in identities if one.is_default), identities[0])


def with_address(identities: Iterable[Identity], email: str) -> Identity | None:
    """The identity of this address, in whatever case; a domain's case means nothing, and few
    servers tell local parts apart by theirs (RFC 5321 §2.4)."""
    return next((one for one in identities if one.email.lower() == email.lower()), None)
