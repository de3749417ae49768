"""From a name somebody typed to a connected socket."""

import asyncio
import errno
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias, cast

import idna

from shared.dial.errors import (
    AddressRefused,
    ConnectRefused,
    ConnectTimedOut,
    DialError,
    NameLookupFailed,
    NameNotFound,
    Unreachable,
)
from shared.dial.policy import Policy

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# Of several addresses that failed, the one that says most about the server speaks for all.
_MOST_TELLING = (ConnectRefused, ConnectTimedOut, Unreachable)

_SockAddr: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """One checked place to connect to, as the socket module wants it."""

    family: int
    sockaddr: _SockAddr


async def dial(host: str, port: int, *, policy: Policy, timeout: float) -> socket.socket:  # noqa: ASYNC109 - the limit is shared out among the addresses of a name
    """Connect to a server that a user named, unless it is none of theirs to reach.

    Returns a connected, non-blocking socket, which the caller closes. The name is resolved
    once, and only an address that was checked is connected to, so that a name which answers
    differently the second time gains nothing. `timeout` covers everything; each address gets
    its share of what is left, so that one that swallows packets does not use it up. For TLS,
    wrap the socket with `tls_context()` and `server_hostname=host`.
    """
    if not 0 < port < 65536:
        raise Unreachable(f"{port} is not a TCP port.")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    try:
        async with asyncio.timeout_at(deadline):
            endpoints = await _resolve(_ascii_name(host), port)
    except TimeoutError as timed_out:
        raise NameLookupFailed from timed_out

    checked = [place for place in endpoints if policy.allows(ip_address(place.sockaddr[0]))]
    if not checked:
        raise AddressRefused

    failures: list[DialError] = []
    for tried, endpoint in enumerate(checked):
        share = max(deadline - loop.time(), 0.0) / (len(checked) - tried)
        try:
            async with asyncio.timeout(share):
                return await _connect(endpoint)
        except TimeoutError:  # ours, or the kernel's ETIMEDOUT
            failures.append(ConnectTimedOut())
        except ConnectionRefusedError:
            failures.append(ConnectRefused())
        except OSError as failure:
            failures.append(Unreachable(_in_words(failure)))
    raise min(failures, key=lambda failure: _MOST_TELLING.index(type(failure)))


def _ascii_name(host: str) -> str:
    """The name as DNS knows it (IDNA 2008, RFC 5891), or NameNotFound for what can be no name."""
    if not host or len(host) > 253 or any(not c.isprintable() or c.isspace() for c in host):
        raise NameNotFound
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as no_name:
        raise NameNotFound from no_name


async def _resolve(name: str, port: int) -> Sequence[_Endpoint]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except socket.gaierror as failure:
        if failure.errno in _NO_SUCH_NAME:
            raise NameNotFound from failure
        raise NameLookupFailed from failure
    except UnicodeError as no_name:  # a label that is empty or over 63 octets
        raise NameNotFound from no_name
    endpoints = [
        _Endpoint(family, cast("_SockAddr", sockaddr))
        for family, _, _, _, sockaddr in found
        if family in (socket.AF_INET, socket.AF_INET6)
    ]
    if not endpoints:
        raise NameNotFound
    return list(dict.fromkeys(endpoints))


async def _connect(endpoint: _Endpoint) -> socket.socket:
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A peer that vanished without a word is noticed after two minutes of silence, also by
        # a connection that only waits (IDLE).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        await asyncio.get_running_loop().sock_connect(sock, endpoint.sockaddr)
    except BaseException:  # also a cancelled dial leaves no socket open; nothing is swallowed
        sock.close()
        raise
    return sock


def _in_words(failure: OSError) -> str | None:
    match failure.errno:
        case errno.ENETUNREACH | errno.EHOSTUNREACH | errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return None  # the class already says it
        case _:
            return f"No connection could be made: {failure.strerror or 'unknown error'}."
