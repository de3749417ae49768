"""What can go wrong between us and a mail server, and nothing else leaves this room.

    ImapError
    ├── Unreachable            no greeting: name, network, refused, handshake, time
    │   └── Untrusted          the certificate does not vouch for the host
    ├── Insecure               the server will not encrypt as the account demands
    ├── AuthFailed             the server refuses the name or the secret
    │   └── TokenRefused       … which is an access token
    ├── Refused                the server answered NO or BAD
    │   ├── Unavailable        … not now: busy, throttled, in use, over a limit
    │   └── NoSuchMailbox      … there is no such mailbox
    ├── Disconnected           the connection ended
    │   ├── Bye                … and the server said why
    │   └── Silent             … or we ended it: nothing was heard in time
    └── Garbled                what came is not IMAP
        └── TooLarge           … or larger than we are willing to hold

The words of the server are kept (`said`), for the owner of the account to read.
"""

from __future__ import annotations

#: Response codes that ask for patience, not for a new password or a repaired command
#: (RFC 5530 §3; THROTTLED and OVERQUOTA as large providers use them).
TEMPORARY_CODES = frozenset(
    {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "THROTTLED", "OVERQUOTA", "EXPUNGEISSUED"}
)


class ImapError(Exception):
    """The mail server could not be used."""

    def __init__(self, said: str = "") -> None:
        super().__init__(said or self.__doc__)
        self.said = said


class Unreachable(ImapError):
    """The server could not be reached."""


class Untrusted(Unreachable):
    """The server's certificate does not vouch for this host."""


class Insecure(ImapError):
    """The server does not offer the encryption that the account demands."""


class AuthFailed(ImapError):
    """The server refused the user name or the password."""

    def __init__(self, server_said: str, code: str | None = None) -> None:
        super().__init__(server_said)
        self.server_said = server_said
        self.code = code


class TokenRefused(AuthFailed):
    """The server refused the access token."""


class Refused(ImapError):
    """The server refused a command."""

    def __init__(self, *, command: str, status: str, code: str | None, text: str) -> None:
        super().__init__(f"{command}: {status} {f'[{code}] ' if code else ''}{text}".rstrip())
        self.command = command
        self.status = status  # NO or BAD
        self.code = code  # upper case, without its arguments, as in "TRYCREATE"
        self.text = text


class Unavailable(Refused):
    """The server cannot do this at the moment."""


class NoSuchMailbox(Refused):
    """The mailbox does not exist on the server.

    Only some servers say so by a code (RFC 5530 §3): a refused SELECT may mean it too.
    """


class Disconnected(ImapError):
    """The connection to the server ended."""


class Bye(Disconnected):
    """The server ended the session and said why."""

    def __init__(self, said: str = "", code: str | None = None) -> None:
        super().__init__(said)
        self.code = code


class Silent(Disconnected):
    """Nothing was heard from the server in time, so the connection was ended."""


class Garbled(ImapError):
    """The server sent what is not IMAP."""


class TooLarge(Garbled):
    """The server announced more than we are willing to hold."""


def refusal(*, command: str, status: str, code: str | None, text: str) -> Refused:
    """The right kind of refusal for a NO or BAD with this response code (RFC 5530 §3)."""
    kind = Refused
    if code in TEMPORARY_CODES:
        kind = Unavailable
    elif code in {"NONEXISTENT", "TRYCREATE"}:
        kind = NoSuchMailbox
    return kind(command=command, status=status, code=code, text=text)
