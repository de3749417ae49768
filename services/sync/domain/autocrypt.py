"""Whether a sender offers a key for answers (Autocrypt Level 1)."""

from __future__ import annotations

from collections.abc import Sequence

from services.sync.domain.mime.params import parameterized
from shared.contracts.content import Autocrypt

_USUAL = {"addr", "prefer-encrypt", "keydata"}
_MAX_ADDRESS = 1_000


def autocrypt_of(fields: Sequence[tuple[str, bytes]], sender: str) -> Autocrypt | None:
    """The offer of this sender; None where there is none that counts, or more than one (§2.3)."""
    offers: list[Autocrypt] = []
    for name, value in fields:
        if name.lower() != "autocrypt":
            continue
        given = parameterized(b";" + value).parameters
        if any(key not in _USUAL and not key.startswith("_") for key in given):
            continue  # critical attributes of a later level
        address = given.get("addr", b"").decode("latin-1")[:_MAX_ADDRESS]
        if address and given.get("keydata", b"").strip() and address.lower() == sender.lower():
            mutual = given.get("prefer-encrypt", b"").strip().lower() == b"mutual"
            offers.append(Autocrypt(email=address, prefers_encryption=mutual))
    return offers[0] if len(offers) == 1 else None
