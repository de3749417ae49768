"""Sealing and opening.

A sealed credential is

    version (1 octet) · length of the key id (1 octet) · key id · HPKE message (RFC 9180 §6.1)

HPKE's `info` holds the version, the purpose and the key id, so that none of them can be
exchanged. Its sender is not authenticated (mode_base): whoever has the public key can seal
a secret of their own, which opens only at the place they name.

A service's own secret, which is used at no mail server, is sealed in the same form for the thing it
belongs to.
"""

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from shared.seal.credential import Credential, Destination
from shared.seal.errors import Mismatch, Tampered
from shared.seal.keys import OpeningKeys, SealingKeys

_VERSION = 1
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
# The length of what is sealed would otherwise tell the length of a password.
_PADDED_TO_BYTES = 512


def seal(credential: Credential, keys: SealingKeys | OpeningKeys) -> bytes:
    """Seal a secret for its place, with the newest key."""
    plaintext = msgspec.json.encode(credential)
    plaintext += b" " * (-len(plaintext) % _PADDED_TO_BYTES)  # JSON may end in blanks
    return _sealed(plaintext, keys, credential.purpose)


def open_sealed(sealed: bytes, keys: OpeningKeys, expected: Destination) -> Credential:
    """Open a secret for the place it is about to be used at, and for no other.

    Raises UnknownKey, Tampered or Mismatch. UnknownKey can pass: a key file put in place
    and a restart make it known.
    """
    key_id, message = _split(sealed)
    private_key = keys.private_key(key_id)
    try:
        plaintext = _SUITE.decrypt(message, private_key, _info(expected.purpose, key_id))
        credential = msgspec.json.decode(plaintext, type=Credential)
    except (InvalidTag, ValueError):  # ValueError: too short, or what was sealed is no credential
        # `from None`: what a decoder complains about may quote what it read.
        raise Tampered from None
    if differences := credential.differences(expected):
        raise Mismatch(f"The credential was sealed for another {', '.join(differences)}.")
    return credential


def seal_own(secret: bytes, keys: SealingKeys | OpeningKeys, belongs_to: str) -> bytes:
    """Seal a secret that goes nowhere else, for the one thing that it belongs to.

    With public keys: one that the service which has the private ones is to keep.
    """
    return _sealed(secret, keys, f"own {belongs_to}")


def open_own(sealed: bytes, keys: OpeningKeys, belongs_to: str) -> bytes:
    """What `seal_own` sealed for this thing. Raises UnknownKey or Tampered."""
    key_id, message = _split(sealed)
    private_key = keys.private_key(key_id)
    try:
        return _SUITE.decrypt(message, private_key, _info(f"own {belongs_to}", key_id))
    except (InvalidTag, ValueError):  # ValueError: too short to be one
        raise Tampered from None


def reseal(sealed: bytes, keys: OpeningKeys, expected: Destination) -> bytes:
    """Seal anew what an older key sealed; what the newest sealed is returned as it is."""
    if is_newest(sealed, keys):
        return sealed
    return seal(open_sealed(sealed, keys, expected), keys)


def key_id_of(sealed: bytes) -> str:
    """Which key opens this; kept beside it, so that a key in use is not retired."""
    return _split(sealed)[0]


def is_newest(sealed: bytes, keys: SealingKeys | OpeningKeys) -> bool:
    return key_id_of(sealed) == keys.newest[0]


def _sealed(plaintext: bytes, keys: SealingKeys | OpeningKeys, purpose: str) -> bytes:
    key_id, public_key = keys.newest
    header = bytes([_VERSION, len(key_id)]) + key_id.encode("ascii")
    return header + _SUITE.encrypt(plaintext, public_key, _info(purpose, key_id))


def _split(sealed: bytes) -> tuple[str, bytes]:
    if len(sealed) < 2 or sealed[0] != _VERSION or len(sealed) < 2 + sealed[1]:
        raise Tampered
    end = 2 + sealed[1]
    try:
        return sealed[2:end].decode("ascii"), sealed[end:]
    except UnicodeDecodeError:
        raise Tampered from None


def _info(purpose: str, key_id: str) -> bytes:
    return b"\0".join((b"postbus seal v1", purpose.encode(), key_id.encode()))
