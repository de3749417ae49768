"""One POST (RFC 9110 §9.3.3) to a provider: for tokens (RFC 6749 §3.2), or to end them (RFC 7009).

The name is resolved, checked and connected to by `dial`. A redirect is not followed: the question
holds secrets that are for this endpoint alone.
"""

import asyncio
import base64
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import h11

from services.sync.domain.tokens import ProviderAway, Tokens, understood
from shared.dial import DialError, Policy, dial, tls_context

_AGENT = "Postbus (OAuth2)"
_READ_BYTES = 16 * 1024
_HEADER_BYTES = 32 * 1024
_MOST_BYTES = 128 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are to a provider, and where it gives tokens."""

    client_id: str
    token_endpoint: str
    secret: str | None
    authentication: str = "post"
    revocation_endpoint: str | None = None

    def __repr__(self) -> str:
        return f"Client({self.client_id}, secret hidden)"


async def ask_tokens(
    client: Client, form: Mapping[str, str], *, policy: Policy, seconds: float
) -> Tokens:
    """What the provider gives for this; raises TokenError."""
    fields, headers = _of_client(client, form)
    with _away():
        async with asyncio.timeout(seconds):
            said, body = await _post(
                client.token_endpoint, urlencode(fields).encode(), headers, policy, seconds
            )
    secrets = tuple(
        value
        for name, value in fields.items()
        if name in ("refresh_token", "code", "code_verifier", "client_secret")
    )
    return understood(said.status_code, body, secrets=secrets, retry_after=_retry_after(said))


async def revoke(client: Client, refresh_token: str, *, policy: Policy, seconds: float) -> None:
    """Let a consent end at its provider; raises ProviderAway while it does not answer so.

    A token that is not known there any more is as good as revoked (RFC 7009 §2.2), and what it
    refuses for another reason, it would refuse again.
    """
    endpoint = client.revocation_endpoint
    if endpoint is None:
        return
    form = {"token": refresh_token, "token_type_hint": "refresh_token"}
    fields, headers = _of_client(client, form)
    with _away():
        async with asyncio.timeout(seconds):
            said, _ = await _post(endpoint, urlencode(fields).encode(), headers, policy, seconds)
    if said.status_code == 429 or said.status_code >= 500:  # RFC 7009 §2.2.1
        raise ProviderAway(
            f"The provider answered {said.status_code}.", retry_after=_retry_after(said)
        )


def _of_client(
    client: Client, form: Mapping[str, str]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """What is asked, and by whom: fields and headers (RFC 6749 §2.3.1)."""
    fields = {**form, "client_id": client.client_id}
    if client.secret is None:
        return fields, []
    if client.authentication == "basic":
        pair = f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"
        basic = base64.b64encode(pair.encode()).decode()
        return fields, [("Authorization", f"Basic {basic}")]
    return {**fields, "client_secret": client.secret}, []


@contextmanager
def _away() -> Generator[None]:
    """Whatever hinders us on the way is the same to who asks: the provider is away."""
    try:
        yield
    except DialError as failure:
        raise ProviderAway(str(failure)) from failure
    except TimeoutError as late:
        raise ProviderAway("The provider did not answer in time.") from late
    except ssl.SSLCertVerificationError as failure:
        raise ProviderAway(
            f"The provider's certificate is not valid: {failure.verify_message}."
        ) from failure
    except (h11.ProtocolError, OSError, EOFError) as failure:  # ssl.SSLError is an OSError
        raise ProviderAway("The connection to the provider broke.") from failure


async def _post(
    endpoint: str, body: bytes, headers: list[tuple[str, str]], policy: Policy, seconds: float
) -> tuple[h11.Response, bytes]:
    parts = urlsplit(endpoint)
    host, encrypted = parts.hostname or "", parts.scheme == "https"
    if not encrypted and host not in _LOOPBACK:
        raise ProviderAway("A token endpoint is an https address.")
    port = parts.port or (443 if encrypted else 80)
    sock = await dial(host, port, policy=policy, timeout=seconds)
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock,
            ssl=tls_context() if encrypted else None,
            server_hostname=host if encrypted else None,
        )
    except BaseException:  # also when cancelled, no socket stays open; nothing is swallowed
        sock.close()
        raise
    try:
        peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADER_BYTES)
        request = h11.Request(
            method="POST",
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers=[
                ("Host", parts.netloc.rpartition("@")[2]),
                ("User-Agent", _AGENT),
                ("Accept", "application/json"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
                *headers,
            ],
        )
        writer.write(
            (peer.send(request) or b"")
            + (peer.send(h11.Data(body)) or b"")
            + (peer.send(h11.EndOfMessage()) or b"")
        )
        return await _answer(peer, reader)
    finally:
        writer.transport.abort()


async def _answer(peer: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Response, bytes]:
    said: h11.Response | None = None
    content = bytearray()
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            peer.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Response):
            said = event
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > _MOST_BYTES:
                raise ProviderAway("The provider's answer is longer than tokens are.")
        elif isinstance(event, h11.EndOfMessage) and said is not None:
            return said, bytes(content)
        elif not isinstance(event, h11.InformationalResponse):
            raise EOFError


def _retry_after(said: h11.Response) -> float | None:
    """Seconds, where it says them (RFC 9110 §10.2.3); a date is not worth a clock's opinion."""
    for name, value in said.headers:
        if name == b"retry-after" and value.strip().isdigit():
            return min(float(value), 3600.0)
    return None
