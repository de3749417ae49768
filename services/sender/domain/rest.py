"""When a server that does not serve an account is asked again."""

from datetime import datetime, timedelta

from shared.contracts.account import SendingState

# Servers count wrong passwords, and lock accounts for them.
_AUTH_FIRST, _AUTH_LONGEST = timedelta(minutes=5), timedelta(hours=4)
_FIRST, _LONGEST = timedelta(seconds=15), timedelta(minutes=15)

_AUTH_REASONS = frozenset(
    {
        "auth_failed",
        "auth_not_offered",
        "consent_ended",
        "credential_unusable",
        "password_sign_in_disabled",
        "token_refused",
    }
)


def state_of_trouble(reason: str) -> SendingState:
    """What it means for an account that a session ended so before its first message."""
    return SendingState.AUTH_FAILED if reason in _AUTH_REASONS else SendingState.UNREACHABLE


def rests_until(reason: str, *, failures: int, now: datetime, jitter: float) -> datetime:
    """When to ask again after so many failures in a row; `jitter` as for a single message."""
    auth = state_of_trouble(reason) is SendingState.AUTH_FAILED
    first, longest = (_AUTH_FIRST, _AUTH_LONGEST) if auth else (_FIRST, _LONGEST)
    return now + min(first * 2 ** min(failures - 1, 20), longest) * (1 - jitter / 4)
