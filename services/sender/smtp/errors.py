"""Why a submission server could not be spoken with, or the talk ended before its end.

SubmitError
├── NotReached           no connection; `reason` says why (shared.dial)
├── NotServed            greeting or EHLO refused
├── TlsFailed            no protected line
│   ├── CertificateRejected
│   └── StarttlsNotOffered
├── AuthFailed           the password was refused
│   ├── PasswordDisabled … as all are: the provider wants OAuth2
│   └── TokenRefused     … which is an access token
├── AuthUnavailable      the server cannot say for now
├── AuthNotOffered       no way to sign in that both know
├── TokenUnavailable     there is no access token for now
├── ConsentEnded         there will be none before somebody consents anew
├── Disconnected
├── TimedOut
└── Garbled              the answer was none

None of them is a ConnectionError or a TimeoutError: those, met elsewhere, mean that the
database is away. What the server said about a message is no error: it is an Answer.
"""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from typing import ClassVar

import aiosmtplib

from services.sender.domain.reply import Reply, reply_of
from shared.dial import DialError


class Phase(StrEnum):
    """How far a talk with a server is."""

    DIAL = "dial"
    TLS = "tls"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    DONE = "done"


class SubmitError(Exception):
    """The submission server could not be spoken with."""

    reason: ClassVar[str] = "not_submitted"

    def __init__(
        self, phase: Phase, *, reply: Reply | None = None, message: str | None = None
    ) -> None:
        super().__init__(message or self.__doc__)
        self.phase = phase
        self.reply = reply

    @property
    def code(self) -> str:
        """Stable, fit for a field."""
        return self.reason

    @property
    def words(self) -> str:
        """What to show: the server's own words where there are any."""
        return self.reply.text if self.reply and self.reply.text else str(self)


class NotReached(SubmitError):
    """No connection to the submission server could be made."""

    reason = "unreachable"

    def __init__(self, failure: DialError) -> None:
        super().__init__(Phase.DIAL, message=str(failure))
        self._code = failure.reason

    @property
    def code(self) -> str:
        return self._code


class NotServed(SubmitError):
    """The submission server does not serve us."""

    reason = "not_served"


class TlsFailed(SubmitError):
    """No protected connection could be agreed on."""

    reason = "tls_failed"


class CertificateRejected(TlsFailed):
    """The server's certificate cannot be trusted."""

    reason = "certificate_invalid"


class StarttlsNotOffered(TlsFailed):
    """The server does not offer STARTTLS, which this account requires."""

    reason = "starttls_not_offered"


class AuthFailed(SubmitError):
    """The server refused the username or the password."""

    reason = "auth_failed"


class PasswordDisabled(AuthFailed):
    """The server takes no passwords any more: the account has to be connected by OAuth2."""

    reason = "password_sign_in_disabled"


class TokenRefused(AuthFailed):
    """The server refused the access token."""

    reason = "token_refused"


class TokenUnavailable(SubmitError):
    """There is no access token for now."""

    reason = "token_unavailable"


class ConsentEnded(SubmitError):
    """The consent for this account has ended: somebody has to give it anew."""

    reason = "consent_ended"


class AuthUnavailable(SubmitError):
    """The server cannot check the password for now."""

    reason = "auth_unavailable"


class AuthNotOffered(SubmitError):
    """The server offers no way to sign in that we know."""

    reason = "auth_not_offered"


class Disconnected(SubmitError):
    """The server ended the connection."""

    reason = "disconnected"


class TimedOut(SubmitError):
    """The server did not answer in time."""

    reason = "timed_out"


class Garbled(SubmitError):
    """The server's answer cannot be understood."""

    reason = "garbled"


@contextmanager
def speaking(phase: Phase) -> Generator[None]:
    """In here the library's errors become ours; its replies that are errors too."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise CertificateRejected(
            phase, message=f"{CertificateRejected.__doc__} ({error.verify_message})"
        ) from error
    except ssl.SSLError as error:
        raise TlsFailed(phase) from error
    except aiosmtplib.SMTPResponseException as error:
        reply = reply_of(error.code, error.message)
        if error.code < 0:
            raise Garbled(phase, message=reply.text) from error
        raise NotServed(phase, reply=reply) from error
    except TimeoutError as error:  # the library's are TimeoutErrors, too
        raise TimedOut(phase) from error
    except OSError as error:  # and its disconnections are ConnectionErrors
        raise Disconnected(phase) from error
    except aiosmtplib.SMTPException as error:
        raise Garbled(phase, message=str(error)) from error
