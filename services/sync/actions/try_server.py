"""Try an IMAP server as an account would use it, and say what is wrong with it."""

import asyncio
import functools
import time
from uuid import UUID

from services.sync.actions.refreshing import Issued, Refresher
from services.sync.domain.reason import Reason, why_refused
from services.sync.domain.tokens import TokenError
from services.sync.imap.errors import (
    AuthFailed,
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Insecure,
    Refused,
    Silent,
    Unavailable,
    Unreachable,
    Untrusted,
)
from services.sync.imap.session import connect
from services.sync.imap.wire import Endpoint as Place
from services.sync.imap.wire import Timeouts
from services.sync.settings import Settings
from services.sync.store import accounts
from shared.contracts.account import Endpoint
from shared.contracts.envelope import Problem
from shared.contracts.trying import DEADLINE_SECONDS, Tried, TryAnswer, TryImap, TryStage
from shared.db import Pool
from shared.dial import DialError, dial, tls_context
from shared.seal import Destination, Mismatch, OpeningKeys, SealError, open_sealed

_LIMIT_SECONDS = DEADLINE_SECONDS - 3  # who asks has to hear of it
_STEP_SECONDS = 10.0
_NAMES = frozenset({Reason.NAME_NOT_FOUND, Reason.NAME_LOOKUP_FAILED})


async def try_server(
    query: TryImap, settings: Settings, keys: OpeningKeys, refresher: Refresher, pool: Pool
) -> TryAnswer:
    """Dial, encrypt, sign in, and leave; one attempt, since servers count failures."""
    place = await _place(query, pool)
    if place is None:
        return TryAnswer(problem=Problem(code="not_found"))
    endpoint, sealed, grant_id = place
    began = time.monotonic()
    offered: list[str] = []
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            if grant_id is not None:
                secret = await refresher.token(query.caller.tenant_id, grant_id)
            else:
                secret = _password(query, endpoint, sealed, keys)
            await _sign_in(endpoint, secret, settings, offered)
    except SealError:
        return TryAnswer(problem=Problem(code="credential_unreadable"))
    except TimeoutError:
        failed = _failed(_talking(offered), Reason.SERVER_SILENT)
    except TokenError as error:
        failed = _failed(TryStage.AUTH, Reason(error.reason), detail=str(error))
    except ImapError as error:
        failed = _why(error, _talking(offered))
    else:
        failed = Tried()
    return TryAnswer(
        tried=Tried(
            failed_at=failed.failed_at,
            reason=failed.reason,
            detail=failed.detail,
            server_said=failed.server_said,
            capabilities=tuple(offered),
            milliseconds=round((time.monotonic() - began) * 1000),
        )
    )


async def _place(query: TryImap, pool: Pool) -> tuple[Endpoint, bytes, UUID | None] | None:
    """Where to try: what was given, or what is kept of an account that the caller may see."""
    if query.endpoint is not None and query.sealed is not None:
        return query.endpoint, query.sealed, None
    if query.account_id not in query.caller.account_ids:
        return None
    async with pool.acquire() as connection:
        known = await accounts.account(connection, query.account_id)
    if known is None or known.tenant_id != query.caller.tenant_id:
        return None
    return known.endpoint, known.sealed, known.grant_id


def _password(query: TryImap, endpoint: Endpoint, sealed: bytes, keys: OpeningKeys) -> str:
    place = Destination.of(
        endpoint, tenant_id=query.caller.tenant_id, account_id=query.account_id, purpose="imap"
    )
    return open_sealed(sealed, keys, place).secret


async def _sign_in(
    endpoint: Endpoint, secret: str | Issued, settings: Settings, offered: list[str]
) -> None:
    if isinstance(secret, Issued) and secret.grant.imap != endpoint:
        raise Mismatch
    async with connect(
        Place(host=endpoint.host, port=endpoint.port, security=endpoint.security),
        dial=functools.partial(
            dial, policy=settings.dial_policy, timeout=settings.dial_timeout_seconds
        ),
        tls=tls_context(verify=endpoint.verify_certificate),
        timeouts=Timeouts(connect=_STEP_SECONDS, silence=_STEP_SECONDS),
    ) as session:
        offered[:] = sorted(session.capabilities)
        if isinstance(secret, Issued):
            await session.authenticate(
                endpoint.username, secret.token, host=endpoint.host, port=endpoint.port
            )
        else:
            await session.login(endpoint.username, secret)
        offered[:] = sorted(session.capabilities)


def _talking(offered: list[str]) -> TryStage:
    """What we were at: who has said what it offers has greeted, and is asked to let us in."""
    return TryStage.AUTH if offered else TryStage.GREETING


def _why(error: ImapError, talking: TryStage) -> Tried:
    """What an error says of the server, and how far we came with it."""
    said = str(error)[:500] or None
    match error:
        case Unreachable(__cause__=DialError() as cause):
            reason = Reason(cause.reason)
            stage = TryStage.DNS if reason in _NAMES else TryStage.TCP
            return _failed(stage, reason, detail=str(cause))
        case Untrusted():
            return _failed(TryStage.CERTIFICATE, Reason.CERTIFICATE_INVALID, detail=said)
        case Unreachable(__cause__=Silent()):
            return _failed(TryStage.GREETING, Reason.SERVER_SILENT)
        case Unreachable(__cause__=Garbled()):
            return _failed(TryStage.GREETING, Reason.NOT_IMAP, detail=said)
        case Unreachable(__cause__=Disconnected()):
            return _failed(TryStage.GREETING, Reason.CONNECTION_LOST, detail=said)
        case Unreachable():
            return _failed(TryStage.TLS, Reason.ENCRYPTION_REFUSED, detail=said)
        case Insecure():
            return _failed(TryStage.CAPABILITY, Reason.ENCRYPTION_REFUSED, detail=said)
        case AuthFailed(code="NOTOKENS"):
            return _failed(TryStage.CAPABILITY, Reason.OAUTH_NOT_OFFERED, detail=said)
        case AuthFailed(code="PRIVACYREQUIRED"):
            return _failed(TryStage.CAPABILITY, Reason.ENCRYPTION_REQUIRED, said=said)
        case AuthFailed():
            return _failed(
                TryStage.AUTH, why_refused(error.code, error.server_said), said=error.server_said
            )
        case Unavailable():
            return _failed(TryStage.AUTH, Reason.SERVER_BUSY, said=said)
        case Bye():
            return _failed(talking, Reason.SERVER_SAID_BYE, said=said)
        case Refused():
            return _failed(TryStage.CAPABILITY, Reason.COMMAND_REFUSED, said=said)
        case Silent():
            return _failed(talking, Reason.SERVER_SILENT)
        case Disconnected():
            return _failed(talking, Reason.CONNECTION_LOST, detail=said)
        case Garbled():
            return _failed(talking, Reason.NOT_IMAP, detail=said)
        case _:
            return _failed(TryStage.OTHER, Reason.IMAP_ERROR, detail=said)


def _failed(
    stage: TryStage, reason: Reason, *, detail: str | None = None, said: str | None = None
) -> Tried:
    return Tried(failed_at=stage, reason=reason.value, detail=detail, server_said=said)
