"""Why an account is in its state: stable codes, each explained in docs/account-states.md."""

import re
from enum import StrEnum


class Reason(StrEnum):
    """A stable code that programs may go by, and people may look up."""

    # auth_failed: a person has to do something.
    AUTH_FAILED = "auth_failed"
    PASSWORD_EXPIRED = "password_expired"  # noqa: S105 - a code
    APP_PASSWORD_REQUIRED = "app_password_required"  # noqa: S105 - a code
    WEB_SIGN_IN_REQUIRED = "web_sign_in_required"
    PASSWORD_SIGN_IN_DISABLED = "password_sign_in_disabled"  # noqa: S105 - a code
    IMAP_DISABLED = "imap_disabled"
    ACCOUNT_BLOCKED = "account_blocked"
    ENCRYPTION_REQUIRED = "encryption_required"
    CREDENTIAL_UNREADABLE = "credential_unreadable"
    OAUTH_NOT_OFFERED = "oauth_not_offered"
    OAUTH_CLIENT_REFUSED = "oauth_client_refused"
    # reauth_required: somebody has to consent anew.
    CONSENT_ENDED = "consent_ended"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a code
    # unreachable: tried again by itself. The first six are what dialling says.
    NAME_NOT_FOUND = "name_not_found"
    NAME_LOOKUP_FAILED = "name_lookup_failed"
    ADDRESS_REFUSED = "address_refused"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMED_OUT = "connect_timed_out"
    UNREACHABLE = "unreachable"
    CERTIFICATE_INVALID = "certificate_invalid"
    ENCRYPTION_REFUSED = "encryption_refused"
    NOT_IMAP = "not_imap"
    ANSWER_TOO_LARGE = "answer_too_large"
    SERVER_SILENT = "server_silent"
    CONNECTION_LOST = "connection_lost"
    SERVER_SAID_BYE = "server_said_bye"
    COMMAND_REFUSED = "command_refused"
    IMAP_ERROR = "imap_error"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    BANDWIDTH_EXCEEDED = "bandwidth_exceeded"
    RATE_LIMITED = "rate_limited"
    SERVER_BUSY = "server_busy"
    OAUTH_PROVIDER_UNAVAILABLE = "oauth_provider_unavailable"
    # degraded: works, but not wholly.
    MAILBOX_UNREADABLE = "mailbox_unreadable"
    MAILBOX_IN_USE = "mailbox_in_use"
    OVER_QUOTA = "over_quota"
    BUDGET_SPENT = "budget_spent"
    # paused
    PAUSED_BY_OWNER = "paused_by_owner"


def why_refused(code: str | None, text: str) -> Reason:
    """Why a server that judged name and password refused them, as far as it says."""
    for pattern, reason in _SENTENCES:
        if pattern.search(text):
            return reason
    return _CODES.get((code or "").upper(), Reason.AUTH_FAILED)


# RFC 5530 §3, and Gmail's WEBALERT.
_CODES = {
    "EXPIRED": Reason.PASSWORD_EXPIRED,
    "PRIVACYREQUIRED": Reason.ENCRYPTION_REQUIRED,
    "CONTACTADMIN": Reason.ACCOUNT_BLOCKED,
    "WEBALERT": Reason.WEB_SIGN_IN_REQUIRED,
    "NOTOKENS": Reason.OAUTH_NOT_OFFERED,  # ours
}
_SENTENCES = tuple(
    (re.compile(text, re.IGNORECASE), reason)
    for text, reason in (
        # Gmail `[ALERT] Application-specific password required`, iCloud, Yahoo, Zoho.
        (r"app(?:lication)?[- ](?:specific )?password", Reason.APP_PASSWORD_REQUIRED),
        # Gmail `[ALERT] Web login required`, `[WEBALERT …] Please log in via your web browser`.
        (r"web login required|via your web browser", Reason.WEB_SIGN_IN_REQUIRED),
        # Microsoft 365 `LOGIN failed. BasicAuthBlocked`; hosters who have turned it off.
        (r"basic ?auth\w* ?(?:is )?(?:blocked|disabled)", Reason.PASSWORD_SIGN_IN_DISABLED),
        # Gmail `[ALERT] Your account is not enabled for IMAP use`, GMX, Yandex, Zoho.
        (r"not enabled for imap|enable (?:your account for )?imap", Reason.IMAP_DISABLED),
        (
            r"imap (?:access |service )?(?:is |has been )?(?:disabled|turned off|not (?:en|al)\w+)",
            Reason.IMAP_DISABLED,
        ),
        (
            r"account (?:is |has been |was )?(?:blocked|locked|suspended|disabled|deactivated)",
            Reason.ACCOUNT_BLOCKED,
        ),
        (r"password (?:is |has )?expired", Reason.PASSWORD_EXPIRED),
    )
)
