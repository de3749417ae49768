"""A secret and the one place it is for."""

from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct, structs

from shared.contracts.account import Endpoint, Security

Purpose: TypeAlias = Literal["imap", "smtp"]


class Destination(Struct, frozen=True, kw_only=True):
    """Where a secret may be used: every part of it is compared before we dial.

    `verify_certificate` is one of them: who could turn it off and stand on the line would
    have the password without touching the host.
    """

    tenant_id: UUID
    account_id: UUID
    purpose: Purpose
    host: str
    port: int
    security: Security
    username: str
    verify_certificate: bool = True

    @classmethod
    def of(
        cls, endpoint: Endpoint, *, tenant_id: UUID, account_id: UUID, purpose: Purpose
    ) -> "Destination":
        """An account's server, as the place for its password."""
        return cls(
            tenant_id=tenant_id,
            account_id=account_id,
            purpose=purpose,
            host=endpoint.host,
            port=endpoint.port,
            security=endpoint.security,
            username=endpoint.username,
            verify_certificate=endpoint.verify_certificate,
        )

    def differences(self, other: "Destination") -> list[str]:
        """The names of the parts in which another place is not this one."""
        return [
            name
            for name in Destination.__struct_fields__
            if getattr(self, name) != getattr(other, name)
        ]


class Credential(Destination, frozen=True, kw_only=True):
    """What logs in to one server of one account; in memory only while we dial."""

    secret: str

    @classmethod
    def at(cls, destination: Destination, secret: str) -> "Credential":
        return cls(**structs.asdict(destination), secret=secret)

    def __repr__(self) -> str:
        return f"Credential({self.purpose}, account {self.account_id}, secret hidden)"

    def __rich_repr__(self) -> tuple[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return (repr(self),)
