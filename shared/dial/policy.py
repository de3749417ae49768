"""Which addresses a user may send us to: public ones, and those the operator allows."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# The IANA special-purpose registries, written out: `ipaddress.is_global` changed its mind
# between patch releases of Python (192.0.0.0/24, 64:ff9b:1::/48), and what is refused here
# must not depend on which one runs.
_REFUSED_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host, RFC 1122 §3.2.1.3
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's own platform address: public in form, local in fact
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Everything outside is loopback, unspecified, unique local, link-local, site-local, multicast
# or unassigned.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_REFUSED_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID (RFC 2928)
        "2001:db8::/32",  # documentation, RFC 3849
        "3fff::/20",  # documentation, RFC 9637
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056 §2


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's word on private networks: none, except those listed."""

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def allows(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether a user may have us connect to this address."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            # ::ffff:a.b.c.d is an IPv4 connection made through an IPv6 socket (RFC 4291 §2.5.5.2).
            return self.allows(address.ipv4_mapped)
        return any(address in network for network in self.allowed_networks) or _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_IPV4)
    carried = _carried_by(address)
    if carried is not None:
        # A translator or relay would take the packets out to the IPv4 address inside.
        return _is_public(carried)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _REFUSED_IPV6)


def _carried_by(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one is only a wrapping of."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address((int(address) >> 80) & 0xFFFF_FFFF)
    return None
