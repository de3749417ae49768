"""Hosts as people, and documents that domains publish, write them."""

from ipaddress import ip_address

import idna

_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def host_of(text: str) -> str:
    """A host as we resolve it: an address, or a name in its ASCII form (RFC 5890).

    Raises ValueError for what can be neither.
    """
    host = text.strip().lower().removesuffix(".")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError("This is not a host name or IP address.") from None
    labels = host.split(".")
    if len(host) > 253 or not all(
        0 < len(label) <= 63 and set(label) <= _LABEL and label.strip("-") == label
        for label in labels
    ):
        raise ValueError("This is not a host name or IP address.")
    return host
