"""Try a submission server as an account would use it, and say what is wrong with it."""

import asyncio
import time

from services.sender import store
from services.sender.actions.tokens import Tokens
from services.sender.domain.turns import Sender
from services.sender.settings import Settings
from services.sender.smtp import (
    AuthNotOffered,
    CertificateRejected,
    NotReached,
    Patience,
    Phase,
    StarttlsNotOffered,
    SubmitError,
    open_session,
)
from shared.contracts.envelope import Problem
from shared.contracts.trying import DEADLINE_SECONDS, Tried, TryAnswer, TrySmtp, TryStage
from shared.db import Pool
from shared.seal import Destination, OpeningKeys, SealError, open_sealed

_LIMIT_SECONDS = DEADLINE_SECONDS - 3  # who asks has to hear of it
_STEP_SECONDS = 10.0
_NAMES = frozenset({"name_not_found", "name_lookup_failed"})
_STAGES = {
    Phase.TLS: TryStage.TLS,
    Phase.STARTTLS: TryStage.TLS,
    Phase.GREETING: TryStage.GREETING,
    Phase.EHLO: TryStage.GREETING,
    Phase.AUTH: TryStage.AUTH,
}


async def try_server(
    query: TrySmtp, settings: Settings, keys: OpeningKeys, tokens: Tokens, pool: Pool
) -> TryAnswer:
    """Dial, protect the line, sign in, and leave; nothing is sent."""
    place = await _place(query, pool)
    if place is None:
        return TryAnswer(problem=Problem(code="not_found"))
    began = time.monotonic()
    offered: tuple[str, ...] = ()
    failed = Tried()
    try:
        endpoint = place.endpoint
        secret = await tokens.token(place) if place.by_token else _password(place, keys)
        async with (
            asyncio.timeout(_LIMIT_SECONDS),
            open_session(
                endpoint,
                secret,
                policy=settings.dial_policy,
                patience=Patience(
                    dial_seconds=settings.dial_timeout_seconds, command_seconds=_STEP_SECONDS
                ),
                helo_name=settings.helo_name,
            ) as session,
        ):
            offered = session.offers
    except SealError:
        return TryAnswer(problem=Problem(code="credential_unreadable"))
    except TimeoutError:
        failed = Tried(failed_at=TryStage.GREETING, reason="timed_out")
    except SubmitError as problem:
        failed = _why(problem)
    return TryAnswer(
        tried=Tried(
            failed_at=failed.failed_at,
            reason=failed.reason,
            detail=failed.detail,
            server_said=failed.server_said,
            capabilities=offered,
            milliseconds=round((time.monotonic() - began) * 1000),
        )
    )


async def _place(query: TrySmtp, pool: Pool) -> store.Account | None:
    """Where to try: what was given, or what is kept of an account that the caller may see."""
    if query.endpoint is not None and query.sealed is not None:
        return store.Account(
            account_id=query.account_id,
            tenant_id=query.caller.tenant_id,
            version=0,
            endpoint=query.endpoint,
            sealed=query.sealed,
            trouble=None,
        )
    if query.account_id not in query.caller.account_ids:
        return None
    async with pool.acquire() as connection:
        found = await store.accounts(connection, [query.account_id])
    return found.get(Sender(query.caller.tenant_id, query.account_id))


def _password(place: store.Account, keys: OpeningKeys) -> str:
    expected = Destination.of(
        place.endpoint, tenant_id=place.tenant_id, account_id=place.account_id, purpose="smtp"
    )
    return open_sealed(place.sealed, keys, expected).secret


def _why(problem: SubmitError) -> Tried:
    """What a problem says of the server, and how far we came with it."""
    match problem:
        case NotReached():
            stage = TryStage.DNS if problem.code in _NAMES else TryStage.TCP
        case CertificateRejected():
            stage = TryStage.CERTIFICATE
        case StarttlsNotOffered() | AuthNotOffered():
            stage = TryStage.CAPABILITY
        case _:
            stage = _STAGES.get(problem.phase, TryStage.OTHER)
    return Tried(
        failed_at=stage,
        reason=problem.code,
        detail=str(problem),
        server_said=problem.reply.text[:500] if problem.reply and problem.reply.text else None,
    )
