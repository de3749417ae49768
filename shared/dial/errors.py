"""Why a connection to a user's server did not come about.

DialError (OSError)
├── NameNotFound       no such name
├── NameLookupFailed   the resolver had no answer for now
├── AddressRefused     (PermissionError)        ours, not the server's refusal
├── ConnectRefused     (ConnectionRefusedError) nobody listens there
├── ConnectTimedOut    (TimeoutError)
└── Unreachable        (ConnectionError)        no way there

The docstring is the message and may be shown to the user: it never says what a name resolved
to, which would tell a stranger about the network the platform runs in. `reason` is stable and
fit for a field.
"""

from typing import ClassVar


class DialError(OSError):
    """No connection could be made."""

    reason: ClassVar[str] = "unreachable"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class NameNotFound(DialError):
    """There is no server of this name."""

    reason = "name_not_found"


class NameLookupFailed(DialError):
    """The name could not be looked up for now."""

    reason = "name_lookup_failed"


class AddressRefused(DialError, PermissionError):
    """A private network, which only the operator can allow (*_DIAL_ALLOWED_NETWORKS)."""

    reason = "address_refused"


class ConnectRefused(DialError, ConnectionRefusedError):
    """The server refused the connection: nothing listens on this port."""

    reason = "connect_refused"


class ConnectTimedOut(DialError, TimeoutError):
    """The server did not answer in time."""

    reason = "connect_timed_out"


class Unreachable(DialError, ConnectionError):
    """There is no way to this server from here."""

    reason = "unreachable"
