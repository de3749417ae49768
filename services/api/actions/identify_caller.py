"""Learn who asks, and what they may see and do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from services.api.domain.refusals import TenantSuspended, TokenRefused
from services.api.domain.rights import Role, Scope, administers_all, scopes_of
from services.api.domain.tokens import Claims, TokenKeys, claims_of, secret_hash
from services.api.store import audit_log, people
from services.api.store.audit_log import AuditEntry
from services.api.store.people import Access
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.db import Pool

#: That somebody was here is written down again after this long; not with every request.
_SEEN_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiTokenShown:
    """An API token that came with a request, as its hash."""

    token_hash: bytes


@dataclass(frozen=True, slots=True)
class CookieShown:
    """A session's cookie that came with a request, as its hash."""

    cookie_hash: bytes


#: What a request proves itself by.
Proof: TypeAlias = Claims | ApiTokenShown | CookieShown


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The person who asks, where, and by which session or token."""

    tenant_id: UUID
    person_id: UUID
    session_id: UUID | None
    token_id: UUID | None
    address: str = ""
    request_id: str | None = None

    def did(self, action: str, *, subject: str | None = None, **more: Any) -> AuditEntry:
        """What the audit is to say that they did now."""
        return AuditEntry(
            tenant_id=self.tenant_id,
            occurred_at=datetime.now(UTC),
            action=action,
            person_id=self.person_id,
            token_id=self.token_id,
            address=self.address,
            request_id=self.request_id,
            subject=subject,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody who has proven who they are, and the callers they are."""

    proof: Proof
    claims: Who
    role: Role
    scopes: frozenset[Scope]
    administers: frozenset[UUID]  # accounts that they may change, share and remove
    is_bound: bool  # by a token to some accounts
    is_verified: bool  # their address was shown to be theirs
    requests_per_minute: int | None  # that their whole tenant may ask
    caller: Caller  # of what is there now
    reader: Caller  # of the log, which also tells that an account went

    @property
    def by_token(self) -> bool:
        return self.claims.token_id is not None


def claims_shown(token: str, keys: TokenKeys) -> Claims:
    """Whom an access token speaks for; raises TokenRefused."""
    return claims_of(token, keys, now=datetime.now(UTC))


def api_token_shown(token: str) -> ApiTokenShown:
    return ApiTokenShown(secret_hash(token))


def cookie_shown(secret: str) -> CookieShown:
    return CookieShown(secret_hash(secret))


async def identify_caller(
    pool: Pool,
    proof: Proof,
    request_id: str | None,
    *,
    address: str = "",
    session_lives: timedelta | None = None,
) -> Identity:
    """What is behind this proof may see and do at this moment; raises TokenRefused."""
    access = await find_access(
        pool, proof, request_id, address=address, session_lives=session_lives
    )
    return identity_of(proof, access, request_id, address)


async def find_access(
    pool: Pool,
    proof: Proof,
    request_id: str | None,
    *,
    address: str = "",
    session_lives: timedelta | None = None,
) -> Access:
    """What this proof opens at this moment; raises TokenRefused, TenantSuspended.

    A session in a cookie goes on by being used; one of tokens, by being renewed.
    """
    now = datetime.now(UTC)
    async with pool.acquire() as connection:
        match proof:
            case Claims():
                access = await people.access_of_session(
                    connection,
                    tenant_id=proof.tenant_id,
                    person_id=proof.person_id,
                    session_id=proof.session_id,
                    now=now,
                )
            case ApiTokenShown():
                access = await people.access_of_token(connection, proof.token_hash, now)
            case CookieShown():
                access = await people.access_of_cookie(connection, proof.cookie_hash, now)
        if access is None:
            raise TokenRefused("The session or token is over; sign in again.")
        if access.suspended:
            raise TenantSuspended(access.suspended_for)
        if not isinstance(proof, Claims) and _is_stale(access, now):
            await people.note_use(
                connection,
                access,
                now=now,
                address=address,
                expires_at=now + session_lives if session_lives else None,
            )
            if access.token_id is not None and _is_news(access, address, now):
                used = identity_of(proof, access, request_id, address).claims.did(
                    "token.used", subject=shown(Kind.TOKEN, access.token_id)
                )
                await audit_log.note(connection, used)
    return access


def _is_stale(access: Access, now: datetime) -> bool:
    return access.used_at is None or now - access.used_at > _SEEN_AGAIN


def _is_news(access: Access, address: str, now: datetime) -> bool:
    """The audit tells that a token is used, from where, and once an hour that it still is."""
    if access.used_at is None or access.used_from != address:
        return True
    return access.used_at.replace(minute=0, second=0) < now.replace(minute=0, second=0)


def identity_of(proof: Proof, access: Access, request_id: str | None, address: str) -> Identity:
    """Who asks this request, by what was found out of them."""
    role = Role(access.role)
    caller = Caller(
        tenant_id=access.tenant_id,
        account_ids=tuple(access.account_ids),
        request_id=request_id,
        person_id=access.person_id,
        token_id=access.token_id,
    )
    return Identity(
        proof=proof,
        claims=Who(
            tenant_id=access.tenant_id,
            person_id=access.person_id,
            session_id=access.session_id,
            token_id=access.token_id,
            address=address,
            request_id=request_id,
        ),
        role=role,
        scopes=scopes_of(role, access.scopes),
        administers=frozenset(
            access.account_ids if administers_all(role) else access.own_account_ids
        ),
        is_bound=access.is_bound,
        is_verified=access.is_verified,
        requests_per_minute=access.requests_per_minute,
        caller=caller,
        reader=Caller(
            tenant_id=access.tenant_id,
            account_ids=(*access.account_ids, *access.past_account_ids),
            request_id=request_id,
            person_id=access.person_id,
            token_id=access.token_id,
        ),
    )
