"""From an address and a password, or an access token, to a session that may send."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TypeAlias

from aiosmtplib import SMTP, SMTPResponse

from services.sender.domain.reply import reply_of
from services.sender.smtp.bearer import Token, sign_in_with_token
from services.sender.smtp.errors import (
    AuthFailed,
    AuthNotOffered,
    AuthUnavailable,
    Disconnected,
    NotReached,
    NotServed,
    PasswordDisabled,
    Phase,
    StarttlsNotOffered,
    TlsFailed,
    speaking,
)
from services.sender.smtp.protocol import PhasedProtocol
from services.sender.smtp.session import Session
from shared.contracts.account import Endpoint, Security
from shared.dial import DialError, Policy, dial, tls_context

# A mechanism that is switched off or too weak for the server says nothing about the password
# (RFC 5321 §4.2.3, RFC 4954 §6).
_OTHER_MECHANISM = {500, 501, 502, 503, 504, 534, 538}
# Microsoft 365 `535 5.7.139 Authentication unsuccessful, basic authentication is disabled`; hosters
# who have turned it off.
_DISABLED = re.compile(r"basic ?auth\w* ?(?:is )?(?:blocked|disabled)", re.IGNORECASE)

#: A password, or what stands in its place.
Secret: TypeAlias = str | Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each step may take; what RFC 5321 §4.5.3.2 asks for is the default."""

    dial_seconds: float = 20.0
    command_seconds: float = 300.0
    block_seconds: float = 180.0
    dot_seconds: float = 600.0
    quit_seconds: float = 5.0


class _Connection(SMTP):
    """The library's client on our protocol. It connects to nothing by itself: `sock` is given."""

    async def _create_connection(self, timeout: float | None) -> SMTPResponse:  # noqa: ASYNC109 - the library's signature
        loop = asyncio.get_running_loop()
        protocol = PhasedProtocol(loop=loop, connection_lost_callback=self._on_connection_lost)
        with speaking(Phase.TLS if self.use_tls else Phase.GREETING):
            async with asyncio.timeout(timeout):
                self.transport, _ = await loop.create_connection(
                    lambda: protocol,
                    sock=self.sock,
                    ssl=self.tls_context if self.use_tls else None,
                    server_hostname=self.hostname if self.use_tls else None,
                )
        self.protocol = protocol
        with speaking(Phase.GREETING):
            greeting = await protocol.read_response(timeout=timeout)
        if greeting.code != 220:
            raise NotServed(Phase.GREETING, reply=reply_of(greeting.code, greeting.message))
        return greeting

    @property
    def is_protected(self) -> bool:
        return self.get_transport_info("sslcontext") is not None

    async def greet(self) -> None:
        """EHLO, or HELO for a server that knows no other (RFC 5321 §4.1.4)."""
        await self._ehlo_or_helo_if_needed()


async def sign_in(
    endpoint: Endpoint,
    secret: Secret,
    *,
    policy: Policy,
    patience: Patience,
    helo_name: str | None = None,
) -> Session:
    """Dial, protect the line as the account asks, sign in; raises a SubmitError.

    Whoever has the session leaves it (`quit`) or drops it. An empty username signs in as nobody.
    """
    try:
        sock = await dial(
            endpoint.host, endpoint.port, policy=policy, timeout=patience.dial_seconds
        )
    except DialError as failure:
        raise NotReached(failure) from failure
    # RFC 5321 §4.1.4: who has no name in DNS says its address.
    own = str(sock.getsockname()[0]).partition("%")[0]
    literal = f"[IPv6:{own}]" if ":" in own else f"[{own}]"
    connection = _Connection(
        hostname=endpoint.host,
        sock=sock,
        use_tls=endpoint.security is Security.TLS,
        start_tls=False,
        tls_context=tls_context(verify=endpoint.verify_certificate),
        local_hostname=helo_name or literal,
        timeout=patience.command_seconds,
    )
    try:
        with speaking(Phase.GREETING):
            await connection.connect()
        await _greet(connection)
        if endpoint.security is Security.STARTTLS:
            await _protect(connection)
            await _greet(connection)  # RFC 3207 §4.2: what was said before counts no more
        match secret:
            case Token():
                await sign_in_with_token(
                    connection, endpoint.username, secret, host=endpoint.host, port=endpoint.port
                )
            case str() if endpoint.username:
                await _sign_in(connection, endpoint.username, secret)
            case str():
                pass
    except BaseException:
        connection.close()
        raise
    return Session(
        connection,
        block_seconds=patience.block_seconds,
        dot_seconds=patience.dot_seconds,
        quit_seconds=patience.quit_seconds,
    )


@contextlib.asynccontextmanager
async def open_session(
    endpoint: Endpoint,
    secret: Secret,
    *,
    policy: Policy,
    patience: Patience,
    helo_name: str | None = None,
) -> AsyncGenerator[Session]:
    """A session of its own for what is done inside; leaving it says QUIT."""
    session = await sign_in(endpoint, secret, policy=policy, patience=patience, helo_name=helo_name)
    try:
        yield session
        await session.quit()
    finally:
        session.drop()


async def _greet(connection: _Connection) -> None:
    with speaking(Phase.EHLO):
        await connection.greet()


async def _protect(connection: _Connection) -> None:
    if not connection.supports_extension("starttls"):
        raise StarttlsNotOffered(Phase.STARTTLS)
    try:
        with speaking(Phase.STARTTLS):
            await connection.starttls()
    except NotServed as refused:
        raise TlsFailed(Phase.STARTTLS, reply=refused.reply) from refused


async def _sign_in(connection: _Connection, username: str, password: str) -> None:
    """AUTH (RFC 4954) by the first mechanism that works.

    A refused password is not tried again by another mechanism, since servers count failures.
    CRAM-MD5 is the exception: it needs the server to know the password itself, and many that
    offer it only know a hash.
    """
    ways = {
        "plain": connection.auth_plain,
        "login": connection.auth_login,
        "cram-md5": connection.auth_crammd5,
    }
    # On a line that anybody may read, the one that does not show the password comes first.
    order = ("plain", "login", "cram-md5")
    if not connection.is_protected:
        order = ("cram-md5", "plain", "login")
    offered = [name for name in order if name in connection.server_auth_methods]
    refused: AuthFailed | None = None
    for name in offered:
        try:
            with speaking(Phase.AUTH):
                await ways[name](username, password)
        except NotServed as answered:
            reply = answered.reply
            code = reply.code if reply else 0
            if code == 421:
                raise Disconnected(Phase.AUTH, reply=reply) from answered
            if code // 100 != 5:
                raise AuthUnavailable(Phase.AUTH, reply=reply) from answered
            disabled = reply is not None and _DISABLED.search(reply.text)
            failed = (PasswordDisabled if disabled else AuthFailed)(Phase.AUTH, reply=reply)
            if code in _OTHER_MECHANISM or name == "cram-md5":
                refused = refused or failed
                continue
            raise failed from answered
        else:
            return
    raise refused or AuthNotOffered(Phase.AUTH)
