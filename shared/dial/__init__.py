"""The one way out: every connection to an address that a user gave is made here.

`dial()` resolves the name once, checks every address it stands for, and connects to an
address it has checked, never to the name again. Nobody can point a mail account, a webhook
or an image at the platform's own network, not by a name that answers differently the
second time, and not by an unusual way to write 127.0.0.1.
"""

from shared.dial.dialling import dial
from shared.dial.errors import (
    AddressRefused,
    ConnectRefused,
    ConnectTimedOut,
    DialError,
    NameLookupFailed,
    NameNotFound,
    Unreachable,
)
from shared.dial.oauth import OAuthSettings
from shared.dial.policy import Policy
from shared.dial.settings import DialSettings, ProviderSettings
from shared.dial.tls import tls_context

__all__ = [
    "AddressRefused",
    "ConnectRefused",
    "ConnectTimedOut",
    "DialError",
    "DialSettings",
    "NameLookupFailed",
    "NameNotFound",
    "OAuthSettings",
    "Policy",
    "ProviderSettings",
    "Unreachable",
    "dial",
    "tls_context",
]
