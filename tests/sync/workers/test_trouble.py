import ssl
from pathlib import Path

import pytest

from services.sync.domain.provider_limits import LimitKind
from services.sync.domain.reason import Reason
from services.sync.domain.tokens import ClientRefused, GrantEnded, ProviderAway
from services.sync.domain.trouble import Trouble
from services.sync.imap.errors import (
    AuthFailed,
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Insecure,
    NoSuchMailbox,
    Refused,
    Silent,
    TokenRefused,
    TooLarge,
    Unavailable,
    Unreachable,
    Untrusted,
    refusal,
)
from services.sync.workers.trouble import trouble_of
from shared import dial
from shared.contracts.account import AccountState
from shared.dial import DialError
from shared.seal import SealError

STATES = Path(__file__).parents[3] / "docs" / "account-states.md"
HOST = "imap.example.org"


def caused_by(cause: BaseException) -> Unreachable:
    error = Unreachable(str(cause))
    error.__cause__ = cause
    return error


def refused(code: str | None, text: str) -> Refused:
    return refusal(command="UID FETCH", status="NO", code=code, text=text)


def errors_of(kind: type[ImapError]) -> set[type[ImapError]]:
    return {kind}.union(*(errors_of(one) for one in kind.__subclasses__()))


def dial_errors_of(kind: type[DialError]) -> set[type[DialError]]:
    return {kind}.union(*(dial_errors_of(one) for one in kind.__subclasses__()))


EXAMPLES: list[tuple[ImapError | SealError, AccountState, Reason]] = [
    (AuthFailed("Invalid credentials"), AccountState.AUTH_FAILED, Reason.AUTH_FAILED),
    (TokenRefused("Invalid"), AccountState.REAUTH_REQUIRED, Reason.TOKEN_REFUSED),
    (TokenRefused("IMAP is disabled"), AccountState.AUTH_FAILED, Reason.IMAP_DISABLED),
    (AuthFailed("none", "NOTOKENS"), AccountState.AUTH_FAILED, Reason.OAUTH_NOT_OFFERED),
    (GrantEnded("invalid_grant"), AccountState.REAUTH_REQUIRED, Reason.CONSENT_ENDED),
    (ClientRefused("no"), AccountState.AUTH_FAILED, Reason.OAUTH_CLIENT_REFUSED),
    (ProviderAway("502"), AccountState.UNREACHABLE, Reason.OAUTH_PROVIDER_UNAVAILABLE),
    (AuthFailed("no", "EXPIRED"), AccountState.AUTH_FAILED, Reason.PASSWORD_EXPIRED),
    (AuthFailed("no", "PRIVACYREQUIRED"), AccountState.AUTH_FAILED, Reason.ENCRYPTION_REQUIRED),
    (AuthFailed("no", "CONTACTADMIN"), AccountState.AUTH_FAILED, Reason.ACCOUNT_BLOCKED),
    (
        AuthFailed("Application-specific password required: https://x (Failure)", "ALERT"),
        AccountState.AUTH_FAILED,
        Reason.APP_PASSWORD_REQUIRED,
    ),
    (
        AuthFailed("Please log in via your web browser: https://x (Failure)", "ALERT"),
        AccountState.AUTH_FAILED,
        Reason.WEB_SIGN_IN_REQUIRED,
    ),
    (
        AuthFailed("Your account is not enabled for IMAP use. (Failure)", "ALERT"),
        AccountState.AUTH_FAILED,
        Reason.IMAP_DISABLED,
    ),
    (
        AuthFailed("LOGIN failed. BasicAuthBlocked"),
        AccountState.AUTH_FAILED,
        Reason.PASSWORD_SIGN_IN_DISABLED,
    ),
    (SealError("key unknown"), AccountState.AUTH_FAILED, Reason.CREDENTIAL_UNREADABLE),
    (Untrusted("expired"), AccountState.UNREACHABLE, Reason.CERTIFICATE_INVALID),
    (Insecure("no STARTTLS"), AccountState.UNREACHABLE, Reason.ENCRYPTION_REFUSED),
    (caused_by(dial.NameNotFound()), AccountState.UNREACHABLE, Reason.NAME_NOT_FOUND),
    (caused_by(dial.ConnectRefused()), AccountState.UNREACHABLE, Reason.CONNECT_REFUSED),
    (caused_by(ssl.SSLError("odd")), AccountState.UNREACHABLE, Reason.UNREACHABLE),
    (caused_by(Silent()), AccountState.UNREACHABLE, Reason.CONNECT_TIMED_OUT),
    (refused("UNAVAILABLE", ""), AccountState.UNREACHABLE, Reason.SERVER_BUSY),
    (refused("EXPUNGEISSUED", "gone"), AccountState.UNREACHABLE, Reason.SERVER_BUSY),
    (refused("THROTTLED", "slow down"), AccountState.UNREACHABLE, Reason.RATE_LIMITED),
    (refused("INUSE", "locked"), AccountState.DEGRADED, Reason.MAILBOX_IN_USE),
    (refused("OVERQUOTA", "full"), AccountState.DEGRADED, Reason.OVER_QUOTA),
    (refused(None, "what?"), AccountState.UNREACHABLE, Reason.COMMAND_REFUSED),
    (refused("NONEXISTENT", "no"), AccountState.UNREACHABLE, Reason.COMMAND_REFUSED),
    (Bye("Server shutting down"), AccountState.UNREACHABLE, Reason.SERVER_SAID_BYE),
    (
        Bye("Account exceeded command or bandwidth limits.", "OVERQUOTA"),
        AccountState.UNREACHABLE,
        Reason.BANDWIDTH_EXCEEDED,
    ),
    (Silent(), AccountState.UNREACHABLE, Reason.SERVER_SILENT),
    (Disconnected(), AccountState.UNREACHABLE, Reason.CONNECTION_LOST),
    (Garbled("* what"), AccountState.UNREACHABLE, Reason.NOT_IMAP),
    (TooLarge("a literal"), AccountState.UNREACHABLE, Reason.ANSWER_TOO_LARGE),
    (ImapError("odd"), AccountState.UNREACHABLE, Reason.IMAP_ERROR),
]


@pytest.mark.parametrize(("error", "state", "reason"), EXAMPLES)
def test_each_error_means_something_to_the_owner(
    error: ImapError | SealError, state: AccountState, reason: Reason
) -> None:
    trouble = trouble_of(error, HOST)
    assert (trouble.state, trouble.reason) == (state, reason)


def test_no_error_of_the_imap_room_is_without_an_example() -> None:
    there = {type(error) for error, _, _ in EXAMPLES}
    assert errors_of(ImapError) - there <= {Unreachable, Unavailable, NoSuchMailbox, Refused}
    assert {Unavailable, NoSuchMailbox, Refused, Unreachable} <= there


def test_whatever_dialling_says_has_a_reason_of_its_own_name() -> None:
    for kind in dial_errors_of(DialError):
        assert trouble_of(caused_by(kind()), HOST).reason == kind.reason


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ("Too many simultaneous connections. (Failure)", "ALERT", Reason.TOO_MANY_CONNECTIONS),
        ("AUTHENTICATE Rate limit hit.", "LIMIT", Reason.RATE_LIMITED),
        ("Temporary authentication failure.", "UNAVAILABLE", Reason.SERVER_BUSY),
    ],
)
def test_a_server_that_wants_less_of_us_is_not_a_wrong_password(
    said: str, code: str, reason: Reason
) -> None:
    trouble = trouble_of(AuthFailed(said, code), HOST)
    assert (trouble.state, trouble.reason) == (AccountState.UNREACHABLE, reason)
    assert trouble.server_said == said
    assert trouble.asked_by_server


def test_what_a_server_suffers_from_is_everybodys_and_a_setting_is_one_accounts() -> None:
    of_host = [caused_by(dial.ConnectRefused()), caused_by(dial.ConnectTimedOut())]
    of_host.append(caused_by(Silent()))
    for error in of_host:
        assert trouble_of(error, HOST).of_host
    assert trouble_of(AuthFailed("Temporary authentication failure.", "UNAVAILABLE"), HOST).of_host
    for error in (
        AuthFailed("Invalid credentials"),
        SealError("unreadable"),
        Untrusted("self-signed"),
        Insecure("no STARTTLS"),
        Garbled("SSH-2.0"),
        caused_by(ssl.SSLError("wrong version number")),
        caused_by(dial.NameNotFound()),
        caused_by(dial.AddressRefused()),
        Disconnected(),
        refused("UNAVAILABLE", ""),
    ):
        assert not trouble_of(error, HOST).of_host, error


def test_a_session_that_ends_as_sessions_do_is_told_from_trouble() -> None:
    assert trouble_of(Bye("Disconnected for inactivity"), HOST).is_an_ending
    assert trouble_of(Disconnected(), HOST).is_an_ending
    assert not trouble_of(Bye("Too many connections", None), HOST).is_an_ending
    assert not trouble_of(Garbled("?"), HOST).is_an_ending


def test_only_a_limit_of_the_account_teaches_how_many_connections_it_may_have() -> None:
    def teaches(text: str) -> bool:
        trouble: Trouble = trouble_of(AuthFailed(text), HOST)
        assert trouble.limit is not None
        assert trouble.limit.kind is LimitKind.CONNECTIONS
        return trouble.refuses_connection

    assert teaches("Too many simultaneous connections")
    assert not teaches("Too many connections from your IP")


def test_every_reason_is_explained_and_no_other() -> None:
    rows = [line.split("|") for line in STATES.read_text("utf-8").splitlines() if "| `" in line]
    explained = {(row[1].strip(" `"), row[2].strip(" `")) for row in rows if row[2].strip()}
    assert {reason for _, reason in explained} == {reason.value for reason in Reason}
    assert {state for state, _ in explained} <= {state.value for state in AccountState}
    for error, state, reason in EXAMPLES:
        assert (state.value, reason.value) in explained, error
