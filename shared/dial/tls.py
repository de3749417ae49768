"""How we speak TLS to servers of users."""

import ssl
from functools import cache


@cache  # reading the trust store takes some 20 ms; a context is made to be shared
def tls_context(*, verify: bool = True) -> ssl.SSLContext:
    """A TLS client as RFC 8314 §4 wants it: TLS 1.2 or newer, certificates verified.

    `verify=False` is for an account that says so itself (a server with a certificate of its
    own making): the line is encrypted, but who is at the other end is not known.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
