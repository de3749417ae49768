"""The address of something on the web, as far as we would go there."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

import idna

_LONGEST = 8_000
_LOWEST_PORT = 1024  # below are the services of a machine, which speak something else than HTTP
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,252}|[0-9a-f:.]{2,45}")
# What may stand in a path or a query (RFC 3986 §3.3, §3.4); all else is percent-encoded.
_AS_IT_IS = "%/:=&?~+!$,;'@()*"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where a request goes to, and what it asks for."""

    tls: bool
    host: str  # in ASCII, lower case
    port: int
    target: str  # path and query, percent-encoded

    @classmethod
    def read(cls, url: str) -> Self | None:
        """An http or https address; None for all that is none, or that nobody should be sent to.

        A user name in it would be a credential for somebody, and is refused.
        """
        if len(url) > _LONGEST:
            return None
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
            if not host.isascii():
                host = idna.encode(host, uts46=True).decode("ascii")
        except ValueError:  # a port that is no number, brackets without an address, no name at all
            return None
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not _HOST.fullmatch(host) or "@" in parts.netloc:
            return None
        if port is None:
            port = _PORTS[scheme]
        if port not in _PORTS.values() and port < _LOWEST_PORT:
            return None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(
            tls=scheme == "https",
            host=host,
            port=port,
            target=quote(target, safe=_AS_IT_IS, errors="replace"),
        )

    @property
    def authority(self) -> str:
        """As the Host header has it (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self._scheme] else f"{host}:{self.port}"

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The IP address, where it is one and no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    def led_to(self, location: str) -> Self | None:
        """Where a redirect from here leads (RFC 9110 §10.2.2)."""
        here = f"{self._scheme}://{self.authority}{self.target}"
        try:
            return self.read(urljoin(here, location))
        except ValueError:
            return None
