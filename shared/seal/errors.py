"""Why a sealed credential stays shut.

SealError
├── KeysUnusable   the key files themselves: missing, open to others, damaged
├── UnknownKey     sealed for a key that is not here (a rotation half done, a key lost)
├── Tampered       not what was sealed, or not sealed by us
└── Mismatch       sealed for another place than the one it was to be used at

The docstring is the message; nothing that was sealed is ever part of it.
"""


class SealError(Exception):
    """The credential could not be opened."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class KeysUnusable(SealError):
    """The seal keys cannot be used."""


class UnknownKey(SealError):
    """The credential was sealed for a key that is not here."""


class Tampered(SealError):
    """The sealed credential is not as it was sealed."""


class Mismatch(SealError):
    """The credential was sealed for another place than the one it was to be used at."""
