"""What the DNS says of a domain's mail: its MX, and where its servers are (SRV, RFC 6186)."""

from collections.abc import Sequence
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdata
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.SRV import SRV
from msgspec import Struct

_MOST_RECORDS = 20


class NoSuchDomain(Exception):
    """There is no domain of this name."""


class NotTold(Exception):
    """The DNS had no answer for now."""


class Service(Struct, frozen=True):
    """Where a service is to be found."""

    host: str
    port: int


class Names:
    """Asks the name servers of the operator, or those of the machine where there are none."""

    def __init__(self, servers: Sequence[str], seconds: float) -> None:
        self._servers = servers
        self._seconds = seconds

    async def exchanges(self, domain: str) -> list[str]:
        """The hosts that take a domain's mail in, preferred ones first; `""` is said where none
        shall (RFC 7505). Raises NoSuchDomain, NotTold.
        """
        found = [each for each in await self._ask(domain, "MX") if isinstance(each, MX)]
        found.sort(key=lambda mx: mx.preference)
        return [mx.exchange.to_text(omit_final_dot=True).removesuffix(".") for mx in found]

    async def services(self, name: str) -> list[Service]:
        """Where a service is, preferred places first; raises NotTold."""
        try:
            answers = await self._ask(name, "SRV")
        except NoSuchDomain:
            return []
        found = [each for each in answers if isinstance(each, SRV)]
        found.sort(key=lambda srv: (srv.priority, -srv.weight))
        return [
            Service(host, srv.port)
            for srv in found
            # "." means that the service is decidedly not available (RFC 2782).
            if (host := srv.target.to_text(omit_final_dot=True).removesuffix("."))
        ]

    async def _ask(self, name: str, kind: str) -> list[dns.rdata.Rdata]:
        try:
            answer = await self._resolver().resolve(
                name, kind, search=False, raise_on_no_answer=False, lifetime=self._seconds
            )
        except dns.resolver.NXDOMAIN as error:
            raise NoSuchDomain(name) from error
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise NotTold(repr(error)) from error
        return list(answer)[:_MOST_RECORDS]

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if not self._servers:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [_server(each) for each in self._servers]
        return resolver


def _server(text: str) -> dns.nameserver.Nameserver:
    """A name server as an operator writes it: `192.0.2.53`, `192.0.2.53:5353`, `[::1]:53`."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text.strip(), "53"
    address = str(ip_address(host.removeprefix("[").removesuffix("]")))
    return dns.nameserver.Do53Nameserver(address, int(port))
