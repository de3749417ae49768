"""OAuth2 for mail accounts: how a person's consent becomes tokens, and who may see which.

The refresh token is sync's alone: the api hands on the code that the provider gave (sealed, as a
password is), sync makes a grant of it, and answers with access tokens that are sealed for whoever
dials, for the one place they may be used at.
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from shared.contracts.account import Endpoint, Security
from shared.contracts.envelope import Command, Problem, Query

GOOGLE, MICROSOFT = "google", "microsoft"


class MailServer(Struct, frozen=True, kw_only=True):
    """Where a provider's mail is read or sent; whose it is, each account says."""

    host: str
    port: int
    security: Security = Security.TLS

    def of(self, username: str) -> Endpoint:
        return Endpoint(host=self.host, port=self.port, security=self.security, username=username)


class Provider(Struct, frozen=True, kw_only=True):
    """Where people consent, where tokens come from, and which mail they open (RFC 6749 §3)."""

    name: str
    label: str  # what people call it
    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    scopes: tuple[str, ...]
    imap: MailServer
    smtp: MailServer
    parameters: dict[str, str] = {}  # more that its authorization endpoint wants
    client_authentication: Literal["post", "basic"] = "post"  # RFC 6749 §2.3.1
    revocation_endpoint: str | None = None  # RFC 7009; None: consents are withdrawn there only


class ProviderSecret(Struct, frozen=True, kw_only=True):
    """The part of a listed provider that sync alone reads."""

    name: str
    client_secret: str | None = None


class Redemption(Struct, frozen=True, kw_only=True):
    """What sync needs to make a grant of a consent; travels sealed only.

    The endpoint and the client are those that the person was sent to: sync compares them with what
    it knows, and sends no client's secret elsewhere.
    """

    code: str
    verifier: str  # PKCE, RFC 7636
    redirect_uri: str
    client_id: str
    token_endpoint: str
    username: str  # whom the person named, or whose account is being repaired
    repairs: bool  # then it must be the same mailbox
    imap: MailServer
    smtp: MailServer


class ConfigureClient(Command, frozen=True, kw_only=True):
    """A tenant's own client at a provider, as it is from now on. The newest `version` counts."""

    channel: ClassVar[str] = "sync.client.configure"

    name: str
    version: int
    token_endpoint: str = ""
    client_id: str = ""
    client_authentication: Literal["post", "basic"] = "post"
    sealed_secret: bytes | None = None  # HPKE for sync; None: as it was, or none
    revocation_endpoint: str | None = None
    removed: bool = False


class RedeemCode(Query, frozen=True, kw_only=True):
    """Make a grant of a consent, for an account that will be, or that is to be repaired."""

    channel: ClassVar[str] = "query.grant.redeem"
    deadline_seconds: ClassVar[float] = 25.0

    grant_id: UUID
    account_id: UUID
    provider: str
    sealed: bytes  # a Redemption, HPKE for sync


class Redeemed(Struct, frozen=True, kw_only=True):
    """Whose mailbox the grant opens, or why there is none."""

    username: str | None = None
    problem: Problem | None = None


class IssueToken(Query, frozen=True, kw_only=True):
    """An access token to sign in to an account's submission server with."""

    channel: ClassVar[str] = "query.token.issue"
    deadline_seconds: ClassVar[float] = 20.0

    account_id: UUID
    refused: bytes | None = None  # SHA-256 of a token that the server did not take


class TokenAnswer(Struct, frozen=True, kw_only=True):
    """The token, sealed for sender and for the server it is for; or why there is none."""

    sealed: bytes | None = None
    expires_at: datetime | None = None
    problem: Problem | None = None  # reauth_required, token_unavailable, not_found


def belongs_to(tenant_id: UUID, account_id: UUID, grant_id: UUID, provider: str) -> str:
    """What a sealed Redemption is for; one for another account or provider does not open."""
    return f"consent {tenant_id} {account_id} {grant_id} {provider}"


def secret_belongs_to(tenant_id: UUID, name: str, client_id: str, token_endpoint: str) -> str:
    """What a sealed client secret is for: it is sent to this endpoint and no other."""
    return f"client {tenant_id} {name} {client_id} {token_endpoint}"


def installed(
    *, google: str | None, microsoft: str | None, directory: str, listed: bytes | None
) -> dict[str, Provider]:
    """The providers of an installation by name; raises msgspec.ValidationError for a bad list."""
    found: dict[str, Provider] = {}
    if google:
        found[GOOGLE] = Provider(
            name=GOOGLE,
            label="Google",
            client_id=google,
            authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
            token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
            revocation_endpoint="https://oauth2.googleapis.com/revoke",
            scopes=("https://mail.google.com/", "openid", "email"),
            imap=MailServer(host="imap.gmail.com", port=993),
            smtp=MailServer(host="smtp.gmail.com", port=465),
            # Without both it gives a refresh token the first time only.
            parameters={"access_type": "offline", "prompt": "consent"},
        )
    if microsoft:
        at = f"https://login.microsoftonline.com/{directory}/oauth2/v2.0"
        found[MICROSOFT] = Provider(
            name=MICROSOFT,
            label="Microsoft",
            client_id=microsoft,
            authorization_endpoint=f"{at}/authorize",
            token_endpoint=f"{at}/token",
            scopes=(
                "https://outlook.office.com/IMAP.AccessAsUser.All",
                "https://outlook.office.com/SMTP.Send",
                "offline_access",
                "openid",
                "email",
                "profile",
            ),
            imap=MailServer(host="outlook.office365.com", port=993),
            smtp=MailServer(host="smtp.office365.com", port=587, security=Security.STARTTLS),
        )
    if listed:
        for provider in msgspec.json.decode(listed, type=list[Provider]):
            found[provider.name] = provider
    return found
