"""Signing in to a mail server by an access token: what is said, and what a refusal means.

OAUTHBEARER is RFC 7628; XOAUTH2 is what Google had before and wrote down. IMAP and SMTP say both in
the same words, so they are here once.
"""

import base64
import binascii
from collections.abc import Container
from enum import StrEnum
from typing import Any

import msgspec

_MOST = 300


class Mechanism(StrEnum):
    """The SASL mechanisms that take an access token, best first."""

    OAUTHBEARER = "OAUTHBEARER"
    XOAUTH2 = "XOAUTH2"

    @property
    def after_error(self) -> bytes:
        """The answer to a challenge that holds an error, so that the server may end the exchange.

        RFC 7628 §3.2.3: one control-A; XOAUTH2: nothing.
        """
        return base64.b64encode(b"\x01") if self is Mechanism.OAUTHBEARER else b""

    def response(self, username: str, token: str, *, host: str, port: int) -> bytes:
        """What the server is shown, in base64."""
        if self is Mechanism.XOAUTH2:
            said = f"user={username}\x01auth=Bearer {token}\x01\x01"
        else:
            # RFC 7628 §3.1, RFC 5801 §4: `,` and `=` of a name are written out.
            name = username.replace("=", "=3D").replace(",", "=2C")
            said = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
        return base64.b64encode(said.encode())


def mechanism_among(offered: Container[str]) -> Mechanism | None:
    """The best that a server offers; None where it takes no tokens."""
    return next((each for each in Mechanism if each in offered), None)


def in_words(challenge: bytes | str) -> str:
    """The error in a challenge (JSON in base64, RFC 7628 §3.2.2) in plain words; empty for none."""
    try:
        said: Any = msgspec.json.decode(base64.b64decode(challenge.strip(), validate=True))
    except (binascii.Error, ValueError):
        return ""
    if not isinstance(said, dict):
        return ""
    parts = [f"status {said['status']}"] if said.get("status") else []
    parts += [f"{name} {said[name]}" for name in ("error_description", "scope") if said.get(name)]
    words = ", ".join(parts)[:_MOST]
    return f"({words})" if words.isprintable() and words else ""
