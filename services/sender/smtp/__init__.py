"""SMTP submission (RFC 5321, RFC 6409), phase by phase: the only door to submission servers.

`Sessions` has a session for an account's next message, kept or new; `Session.transact` hands one
message over and says for each recipient what the server answered, and whether the final dot had
left us by then.
"""

from services.sender.smtp.bearer import Token
from services.sender.smtp.errors import (
    AuthFailed,
    AuthNotOffered,
    AuthUnavailable,
    CertificateRejected,
    ConsentEnded,
    Disconnected,
    Garbled,
    NotReached,
    NotServed,
    Phase,
    StarttlsNotOffered,
    SubmitError,
    TimedOut,
    TlsFailed,
    TokenRefused,
    TokenUnavailable,
)
from services.sender.smtp.session import Delivery, Envelope, Session
from services.sender.smtp.sessions import Login, Sessions
from services.sender.smtp.signing_in import Patience, Secret, open_session

__all__ = [
    "AuthFailed",
    "AuthNotOffered",
    "AuthUnavailable",
    "CertificateRejected",
    "ConsentEnded",
    "Delivery",
    "Disconnected",
    "Envelope",
    "Garbled",
    "Login",
    "NotReached",
    "NotServed",
    "Patience",
    "Phase",
    "Secret",
    "Session",
    "Sessions",
    "StarttlsNotOffered",
    "SubmitError",
    "TimedOut",
    "TlsFailed",
    "Token",
    "TokenRefused",
    "TokenUnavailable",
    "open_session",
]
