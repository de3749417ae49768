import pytest

from services.sync.domain.provider_limits import Limit, LimitKind, Scope, limit_of

ANY = "imap.example.org"
GMAIL = "imap.gmail.com"
MICROSOFT = "outlook.office365.com"
YAHOO = "imap.mail.yahoo.com"


@pytest.mark.parametrize(
    ("host", "code", "text", "kind"),
    [
        (GMAIL, "ALERT", "Too many simultaneous connections. (Failure)", LimitKind.CONNECTIONS),
        (
            GMAIL,
            "ALERT",
            "Account exceeded command or bandwidth limits. (Failure)",
            LimitKind.BANDWIDTH,
        ),
        (
            GMAIL,
            "OVERQUOTA",
            "Account exceeded command or bandwidth limits.",
            LimitKind.BANDWIDTH,
        ),
        (GMAIL, "OVERQUOTA", "", LimitKind.BANDWIDTH),
        (GMAIL, None, "System Error (Failure)", LimitKind.BUSY),
        (GMAIL, "THROTTLED", "", LimitKind.COMMANDS),
        (GMAIL, None, "Success [THROTTLED]", LimitKind.COMMANDS),
        (GMAIL, "UNAVAILABLE", "Temporary System Problem.  Try again later", LimitKind.BUSY),
        (
            MICROSOFT,
            None,
            "Request is throttled. Suggested Backoff Time: 92415 milliseconds",
            LimitKind.COMMANDS,
        ),
        (MICROSOFT, None, "Server Busy.", LimitKind.BUSY),
        (MICROSOFT, None, "Server Unavailable. 15", LimitKind.BUSY),
        (MICROSOFT, None, "User is authenticated but not connected.", LimitKind.BUSY),
        (
            MICROSOFT,
            None,
            "Too many concurrent connections to this mailbox",
            LimitKind.CONNECTIONS,
        ),
        (YAHOO, "LIMIT", "AUTHENTICATE Rate limit hit.", LimitKind.COMMANDS),
        (YAHOO, "LIMIT", "LOGIN Rate limit hit.", LimitKind.COMMANDS),
        (YAHOO, "LIMIT", "Too many simultaneous connections", LimitKind.CONNECTIONS),
        (
            YAHOO,
            "UNAVAILABLE",
            "UID FETCH Server error - Please try again later",
            LimitKind.BUSY,
        ),
        (
            YAHOO,
            "UNAVAILABLE",
            "UID FETCH Service is temporarily not available",
            LimitKind.BUSY,
        ),
        (
            ANY,
            "UNAVAILABLE",
            "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            LimitKind.CONNECTIONS,
        ),
        (
            ANY,
            "LIMIT",
            "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
            LimitKind.CONNECTIONS,
        ),
        (ANY, "UNAVAILABLE", "Temporary authentication failure.", LimitKind.BUSY),
        (ANY, None, "Too many open connections", LimitKind.CONNECTIONS),
        (ANY, None, "Too many simultaneous sessions", LimitKind.CONNECTIONS),
        (ANY, None, "Connection limit reached", LimitKind.CONNECTIONS),
        (ANY, None, "You have exceeded the number of concurrent sessions", LimitKind.CONNECTIONS),
        (ANY, None, "Too many connections from your IP", LimitKind.CONNECTIONS),
        (ANY, None, "Account is temporarily unavailable", LimitKind.BUSY),
        (ANY, "OVERQUOTA", "Quota exceeded (mailbox for user is full)", LimitKind.QUOTA),
        (ANY, "OVERQUOTA", "Sorry", LimitKind.QUOTA),
        (ANY, "INUSE", "Timeout while waiting for indexing to finish", LimitKind.IN_USE),
        (ANY, None, "Mailbox is locked by another session", LimitKind.IN_USE),
        (ANY, "SERVERBUG", "Internal error occurred.", LimitKind.BUSY),
        (ANY, "unavailable", "", LimitKind.BUSY),
    ],
)
def test_what_providers_say_when_they_want_less_is_understood(
    host: str, code: str | None, text: str, kind: LimitKind
) -> None:
    limit = limit_of(code, text, host)
    assert limit is not None
    assert limit.kind is kind


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AUTHENTICATIONFAILED", "Invalid credentials (Failure)"),
        ("AUTHENTICATIONFAILED", "Authentication failed."),
        ("AUTHENTICATIONFAILED", "Authentication failed. Please try again later"),
        ("AUTHORIZATIONFAILED", "No such authorization identity"),
        ("EXPIRED", "That password isn't valid any more"),
        ("PRIVACYREQUIRED", "Not without TLS"),
        ("CONTACTADMIN", "Your account is disabled"),
        ("ALERT", "Application-specific password required: https://support.example (Failure)"),
        ("ALERT", "Web login required: https://support.example (Failure)"),
        ("WEBALERT", "Too many simultaneous connections"),
        (None, "LOGIN failed."),
        (None, "Login failed, please try again later"),
        (None, "AUTHENTICATE failed."),
        (None, "Invalid user name or password"),
        (None, "Invalid login or password; please try again later"),
        (None, "Too many failed login attempts, try again later"),
        ("UNAVAILABLE", "Too many invalid login attempts"),
        (None, "Too many login failures"),
        ("ALERT", "You have new mail at our new site"),
        ("NONEXISTENT", "No such mailbox"),
        ("TRYCREATE", "No such mailbox"),
        (None, "Unknown command"),
        (None, ""),
        ("LIMIT", "At most 32 flags in one mailbox supported"),
        ("LIMIT", "Maximum number of mailboxes reached"),
        ("EXPUNGEISSUED", "Some of the requested messages no longer exist"),
    ],
)
def test_a_password_that_is_refused_and_other_refusals_are_no_limits(
    code: str | None, text: str
) -> None:
    for host in (ANY, GMAIL, MICROSOFT, YAHOO):
        assert limit_of(code, text, host) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 92415 milliseconds", 92.415),
        ("Request is throttled. Suggested Backoff Time: 299910 Milliseconds.", 299.91),
        ("Rate limit hit; try again in 30 seconds", 30.0),
        ("Too many connections, please try again after 5 minutes", 300.0),
        ("Rate limited. Retry after 2 hours", 7200.0),
        ("Throttled: wait 45s", 45.0),
        ("Throttled: try again in 500 ms", 0.5),
        ("Throttled: try again in 999999999 hours", 24 * 3600.0),
        ("Throttled", None),
        ("Throttled 15", None),
    ],
)
def test_how_long_a_server_asks_us_to_wait_is_read_from_its_words(
    text: str, seconds: float | None
) -> None:
    limit = limit_of(None, text, ANY)
    assert limit is not None
    assert limit.retry_after_seconds == seconds


def test_what_all_of_a_server_suffers_from_is_not_taken_for_one_accounts_trouble() -> None:
    assert limit_of("UNAVAILABLE", "Temporary authentication failure.", ANY) == Limit(
        kind=LimitKind.BUSY, scope=Scope.HOST
    )
    assert limit_of(None, "Too many connections from your IP", GMAIL) == Limit(
        kind=LimitKind.CONNECTIONS, scope=Scope.HOST
    )
    of_user = limit_of("LIMIT", "Maximum number of connections from user+IP exceeded", ANY)
    assert of_user is not None
    assert of_user.scope is Scope.ACCOUNT


def test_what_one_machine_of_a_large_provider_says_is_not_taken_for_all_of_them() -> None:
    for host in (MICROSOFT, GMAIL, YAHOO, "imap.gmx.net"):
        limit = limit_of(None, "Server busy", host)
        assert limit is not None
        assert limit.scope is Scope.ACCOUNT
    limit = limit_of(None, "Server busy", "gmail.com.example.org")
    assert limit is not None
    assert limit.scope is Scope.HOST


def test_the_same_code_is_a_spent_bandwidth_at_gmail_and_a_full_mailbox_elsewhere() -> None:
    assert limit_of("OVERQUOTA", "", GMAIL) == Limit(kind=LimitKind.BANDWIDTH)
    assert limit_of("OVERQUOTA", "", ANY) == Limit(kind=LimitKind.QUOTA)
