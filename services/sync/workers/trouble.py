"""What an error means: for the owner of an account a state, a stable reason and the server's words;
for us who has to wait, and for what."""

from typing import TypeAlias

from services.sync.domain.provider_limits import Limit, LimitKind, Scope, limit_of
from services.sync.domain.reason import Reason, why_refused
from services.sync.domain.tokens import ClientRefused, GrantEnded, TokenError
from services.sync.domain.trouble import Trouble
from services.sync.imap.errors import (
    AuthFailed,
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Insecure,
    Refused,
    Silent,
    TokenRefused,
    TooLarge,
    Unavailable,
    Unreachable,
    Untrusted,
)
from shared.contracts.account import AccountState
from shared.dial import DialError
from shared.seal import SealError

#: What dialling finds out about a server, whoever asks. A name that does not exist, an address
#: that is refused here and a certificate that is not trusted are settings of one account.
_OF_HOST = frozenset(
    {
        Reason.NAME_LOOKUP_FAILED,
        Reason.CONNECT_REFUSED,
        Reason.CONNECT_TIMED_OUT,
        Reason.UNREACHABLE,
    }
)
_OF_LIMITS = {
    LimitKind.CONNECTIONS: (AccountState.UNREACHABLE, Reason.TOO_MANY_CONNECTIONS),
    LimitKind.BANDWIDTH: (AccountState.UNREACHABLE, Reason.BANDWIDTH_EXCEEDED),
    LimitKind.COMMANDS: (AccountState.UNREACHABLE, Reason.RATE_LIMITED),
    LimitKind.BUSY: (AccountState.UNREACHABLE, Reason.SERVER_BUSY),
    LimitKind.QUOTA: (AccountState.DEGRADED, Reason.OVER_QUOTA),
    LimitKind.IN_USE: (AccountState.DEGRADED, Reason.MAILBOX_IN_USE),
}


#: What keeps an account from its server: the server, a secret that stays shut, a token not given.
Hindrance: TypeAlias = ImapError | SealError | TokenError
HINDRANCES = (ImapError, SealError, TokenError)


def trouble_of(error: Hindrance, host: str = "") -> Trouble:
    """Wrong passwords and ended consents wait for new ones; everything else is tried again.

    A server that wants less of us is believed first: it says so with the same NO as for a wrong
    password, and in the same BYE as for a restart.
    """
    said = str(error)[:500] or None
    limit = _limit(error, host)
    if limit is not None:
        state, reason = _OF_LIMITS[limit.kind]
        return Trouble(
            state=state,
            reason=reason,
            server_said=said,
            limit=limit,
            of_host=limit.scope is Scope.HOST,
        )
    state = AccountState.UNREACHABLE
    match error:
        case GrantEnded():
            state, reason = AccountState.REAUTH_REQUIRED, Reason.CONSENT_ENDED
        case ClientRefused():
            state, reason = AccountState.AUTH_FAILED, Reason.OAUTH_CLIENT_REFUSED
        case TokenError():
            reason = Reason.OAUTH_PROVIDER_UNAVAILABLE
        case TokenRefused() if why_refused(error.code, error.server_said) is Reason.AUTH_FAILED:
            state, reason = AccountState.REAUTH_REQUIRED, Reason.TOKEN_REFUSED
        case AuthFailed():
            state, reason = AccountState.AUTH_FAILED, why_refused(error.code, error.server_said)
        case SealError():
            state, reason = AccountState.AUTH_FAILED, Reason.CREDENTIAL_UNREADABLE
        case Untrusted():
            reason = Reason.CERTIFICATE_INVALID
        case Insecure():
            reason = Reason.ENCRYPTION_REFUSED
        case Unreachable(__cause__=DialError() as cause):
            reason = Reason(cause.reason)
        case Unreachable(__cause__=Silent()):
            reason = Reason.CONNECT_TIMED_OUT  # somebody answered, and did not greet
        case Unreachable():
            reason = Reason.UNREACHABLE
        case Unavailable():
            reason = Reason.SERVER_BUSY
        case Refused():
            reason = Reason.COMMAND_REFUSED
        case Bye():
            reason = Reason.SERVER_SAID_BYE
        case Silent():
            reason = Reason.SERVER_SILENT
        case Disconnected():
            reason = Reason.CONNECTION_LOST
        case TooLarge():
            reason = Reason.ANSWER_TOO_LARGE
        case Garbled():
            reason = Reason.NOT_IMAP
        case _:
            reason = Reason.IMAP_ERROR
    return Trouble(state=state, reason=reason, server_said=said, of_host=_is_of_host(error, reason))


def _limit(error: Hindrance, host: str) -> Limit | None:
    match error:
        case AuthFailed():
            return limit_of(error.code, error.server_said, host)
        case Refused():
            return limit_of(error.code, error.text, host)
        case Bye():
            return limit_of(error.code, error.said, host)
        case _:
            return None


def _is_of_host(error: Hindrance, reason: Reason) -> bool:
    """Only what dialling and the greeting show: TLS that fails may be one account's setting."""
    match error:
        case Unreachable(__cause__=DialError() | Silent()):
            return reason in _OF_HOST
        case _:
            return False
