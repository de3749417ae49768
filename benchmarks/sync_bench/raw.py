"""How fast the server can give: one socket, one FETCH, nothing parsed."""

import socket
import time
from pathlib import Path

from tests.servers.dovecot import PASSWORD


def raw_fetch(port: int, user: str) -> tuple[float, int]:
    """Seconds for every message of INBOX, from dialling on, and how many octets came."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _until(connection, b"* OK")
        for number, command in enumerate((f"LOGIN {user} {PASSWORD}", "EXAMINE INBOX")):
            connection.sendall(f"a{number} {command}\r\n".encode())
            _until(connection, f"a{number} OK".encode())
        connection.sendall(b"z FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n")
        received = _until(connection, b"\r\nz OK")
    return time.perf_counter() - began, received


def _until(connection: socket.socket, wanted: bytes) -> int:
    received = 0
    tail = b""
    buffer = bytearray(1 << 20)
    while wanted not in tail:
        count = connection.recv_into(buffer)
        if not count:
            raise ConnectionError(f"the server went away before {wanted!r}")
        received += count
        # What is waited for stands in the last line, which may come in two pieces.
        tail = (tail + bytes(buffer[max(0, count - 500) : count]))[-1000:]
    return received


def warm(directory: Path) -> None:
    """Read every file once, so that nobody pays for the disk in another's stead."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass
