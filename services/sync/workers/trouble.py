"""What an error means for the owner of an account: a state, a stable reason, the server's words."""

from msgspec import Struct

from services.sync.imap.errors import (
    AuthFailed,
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Insecure,
    Refused,
    Unavailable,
    Unreachable,
    Untrusted,
)
from shared.contracts.account import AccountState
from shared.dial import DialError
from shared.seal import SealError


class Trouble(Struct, frozen=True, kw_only=True):
    """Why an account rests."""

    state: AccountState
    reason: str
    server_said: str | None


def trouble_of(error: ImapError | SealError) -> Trouble:
    """Wrong passwords wait for a new one; everything else is tried again."""
    said = str(error)[:500] or None
    state = AccountState.UNREACHABLE
    match error:
        case AuthFailed():
            state, reason = AccountState.AUTH_FAILED, "auth_failed"
        case SealError():
            state, reason = AccountState.AUTH_FAILED, "credential_unreadable"
        case Untrusted():
            reason = "certificate_invalid"
        case Insecure():
            reason = "encryption_refused"
        case Unreachable(__cause__=DialError() as cause):
            reason = cause.reason
        case Unreachable():
            reason = "unreachable"
        case Unavailable():
            reason = "server_busy"
        case Refused():
            reason = "command_refused"
        case Bye():
            reason = "server_said_bye"
        case Disconnected():
            reason = "connection_lost"
        case Garbled():
            reason = "not_imap"
        case _:
            reason = "imap_error"
    return Trouble(state=state, reason=reason, server_said=said)
