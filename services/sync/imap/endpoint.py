"""Where a mail server is, and how much patience and memory it gets."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.contracts.account import Security

Dial = Callable[[str, int], Awaitable[socket.socket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a mail server is and how it is spoken to."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long we wait, in seconds. No silence is waited for without end."""

    connect: float = 20.0  # the TLS handshake, and then the greeting
    silence: float = 60.0  # without one byte while an answer is owed
    answer: float = 600.0  # for one answer that drips, beyond the time its bytes may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a server's talk we hold."""

    literal_bytes: int = 80 * 1024 * 1024  # one message
    line_bytes: int = 32 * 1024 * 1024  # a SEARCH answer of some millions
    queued_bytes: int = 4 * 1024 * 1024  # before the server has to wait for us
