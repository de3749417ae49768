"""A person's consent as it is kept: what it is for, and what renews it."""

from uuid import UUID

from msgspec import Struct

from shared.contracts.account import Endpoint


class Grant(Struct, frozen=True, kw_only=True):
    """Sealed for sync alone. Tokens made of it go to these two servers and no other."""

    tenant_id: UUID
    account_id: UUID
    provider: str
    token_endpoint: str
    client_id: str
    refresh_token: str
    imap: Endpoint
    smtp: Endpoint

    def __repr__(self) -> str:
        return f"Grant({self.provider}, account {self.account_id}, token hidden)"
