"""Whether a message is signed or encrypted, told from its parts and the beginning of its text."""

from __future__ import annotations

from collections.abc import Sequence

from services.sync.domain.mime.structure import Part
from shared.contracts.content import Scheme

_ARMOUR = "-----BEGIN PGP "
_WHERE_ARMOUR_BEGINS = 2_000
_SIGNATURES = {
    "application/pgp-signature": Scheme.OPENPGP,
    "application/pkcs7-signature": Scheme.SMIME,
    "application/x-pkcs7-signature": Scheme.SMIME,
}
_PKCS7 = {"application/pkcs7-mime", "application/x-pkcs7-mime"}


def protection_of(attached: Sequence[Part], text: str) -> tuple[Scheme | None, Scheme | None]:
    """How it is signed, and how encrypted."""
    signed: Scheme | None = None
    encrypted: Scheme | None = None
    for part in attached:
        media_type = part.media_type
        if media_type in _SIGNATURES:
            signed = signed or _SIGNATURES[media_type]
        elif media_type == "application/pgp-encrypted":  # RFC 3156 §4
            encrypted = encrypted or Scheme.OPENPGP
        elif media_type in _PKCS7:
            match part.type.token("smime-type"):  # RFC 8551 §3.2.2
                case "signed-data":
                    signed = signed or Scheme.SMIME
                case "certs-only":
                    pass
                case _:
                    encrypted = encrypted or Scheme.SMIME
    if text.find(_ARMOUR, 0, _WHERE_ARMOUR_BEGINS) >= 0:
        if text.find("-----BEGIN PGP SIGNED MESSAGE-----", 0, _WHERE_ARMOUR_BEGINS) >= 0:
            signed = signed or Scheme.OPENPGP
        elif text.find("-----BEGIN PGP MESSAGE-----", 0, _WHERE_ARMOUR_BEGINS) >= 0:
            encrypted = encrypted or Scheme.OPENPGP
    return signed, encrypted
