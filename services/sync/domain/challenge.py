"""What a server says of a token that it does not take: JSON in base64 (RFC 7628 §3.2.2)."""

import base64
import binascii
from typing import Any

import msgspec

_MOST = 300


def in_words(challenge: bytes) -> str:
    """The error in plain words; empty where there is none to be read."""
    try:
        said: Any = msgspec.json.decode(base64.b64decode(challenge, validate=True))
    except (binascii.Error, ValueError):
        return ""
    if not isinstance(said, dict):
        return ""
    parts = [f"status {said['status']}"] if said.get("status") else []
    parts += [f"{name} {said[name]}" for name in ("error_description", "scope") if said.get(name)]
    words = ", ".join(parts)[:_MOST]
    return f"({words})" if words.isprintable() and words else ""
