"""What somebody asks with, as far as the network and the client itself tell."""

from typing import Any

from litestar.connection import ASGIConnection

from services.api.store.people import Client

_LONGEST_NAME = 200


def described_client(connection: ASGIConnection[Any, Any, Any, Any]) -> Client:
    """What a person is shown of where a session of theirs is."""
    name = connection.headers.get("user-agent", "")
    printable = "".join(each if each.isprintable() else " " for each in name)
    return Client(
        name=printable[:_LONGEST_NAME].strip(),
        address=connection.client.host if connection.client else "",
    )
