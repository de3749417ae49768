"""Passwords of people, as Argon2id hashes (RFC 9106). Slow on purpose: never on the event loop."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()  # RFC 9106 §4, the second recommendation: 64 MiB, 3 passes
# Verified when nobody has the address, so that the time taken does not tell who is registered.
NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$MI7CbH6WAWcLKBiAcNrb/g"
    "$X5akjw7NZ0PbjxaeHCPDh+uj7Ac32/eeQLqLWUU9lBY"
)


def hashed(password: str) -> str:
    """What is kept of a password."""
    return _hasher.hash(password.encode())


def matches(hash_kept: str, password: str) -> bool:
    """Whether this is the password."""
    try:
        return _hasher.verify(hash_kept, password.encode())
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hash_kept: str) -> bool:
    """Whether this hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hash_kept)
