"""Passwords of mail accounts, sealed so that only the service that dials can open them.

Sealed with HPKE (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM) for sync and for sender apart.
The secret is sealed together with the one place it is for, and the opener refuses any other:
who can write to a database or to the bus still cannot send a password to a server of theirs.
"""

from shared.seal.credential import Credential, Destination, Purpose
from shared.seal.errors import KeysUnusable, Mismatch, SealError, Tampered, UnknownKey
from shared.seal.keys import OpeningKeys, SealingKeys, missing_keys, new_key, publish
from shared.seal.sealing import (
    is_newest,
    key_id_of,
    open_own,
    open_sealed,
    reseal,
    seal,
    seal_own,
)

__all__ = [
    "Credential",
    "Destination",
    "KeysUnusable",
    "Mismatch",
    "OpeningKeys",
    "Purpose",
    "SealError",
    "SealingKeys",
    "Tampered",
    "UnknownKey",
    "is_newest",
    "key_id_of",
    "missing_keys",
    "new_key",
    "open_own",
    "open_sealed",
    "publish",
    "reseal",
    "seal",
    "seal_own",
]
