"""Find the mail servers of an address, from what is known, published, or simply there."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote

from msgspec import Struct

from services.api.domain.discovery import (
    Candidate,
    DiscoverySource,
    Found,
    Knock,
    MailAddress,
    Place,
    Protocol,
    candidates,
    guesses,
    is_known,
    of_provider,
)
from services.api.domain.hosts import host_of
from services.api.domain.published import (
    NotSettings,
    autodiscover_request,
    read_autoconfig,
    read_autodiscover,
)
from services.api.domain.web_address import WebAddress
from services.api.web.getting import Document, Got, NotGot, get
from services.api.web.knocking import knock
from services.api.web.names import Names, NoSuchDomain, NotTold
from shared.contracts.account import Security
from shared.dial import Policy
from shared.dial.providers import Provider, provider_of_domain, provider_of_host, provider_of_mx

T = TypeVar("T")

_AGENT = "Postbus (discovery)"
_MOST_BYTES = 64 * 1024
_MOST_REDIRECTS = 3
_MOST_KNOCKS = 16
#: Of the time for all: so much for what is asked; the rest is for knocking at what was found.
_ASKING_SHARE = 0.6
#: Once something sure is known, others have so much longer to say the same.
_GRACE_SECONDS = 1.0
_SRV = (
    ("_imaps._tcp", Protocol.IMAP, Security.TLS),  # RFC 6186 §3.2
    ("_imap._tcp", Protocol.IMAP, Security.STARTTLS),
    ("_submissions._tcp", Protocol.SMTP, Security.TLS),  # RFC 8314 §5.1
    ("_submission._tcp", Protocol.SMTP, Security.STARTTLS),
)


class AskedResult(StrEnum):
    """What came of asking a source."""

    FOUND = "found"
    NOTHING = "nothing"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


class AddressDoubt(StrEnum):
    """What the DNS says against an address."""

    DOMAIN_NOT_FOUND = "domain_not_found"
    DOMAIN_TAKES_NO_MAIL = "domain_takes_no_mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what is looked, and how much of it."""

    slots: asyncio.Semaphore  # discoveries at a time
    policy: Policy
    name_servers: Sequence[str]
    seconds: float  # for all of it


class Asked(Struct, frozen=True, kw_only=True):
    """A source, and what came of asking it."""

    source: DiscoverySource
    result: AskedResult
    milliseconds: int


class Discovered(Struct, frozen=True, kw_only=True):
    """What was found for an address."""

    provider: Provider | None
    candidates: list[Candidate]
    asked: list[Asked]
    doubt: AddressDoubt | None


async def discover_servers(email: str, means: Means) -> Discovered:
    """Candidates for IMAP and SMTP, best first. Never raises for what others answer or do not.

    Of a provider that is known by its domain nothing is asked at all.
    """
    address = MailAddress.of(email)
    known = None if address.is_literal else provider_of_domain(address.domain)
    if known is not None or address.is_literal:
        found = [] if known is None else of_provider(known, address, DiscoverySource.PROVIDERS)
        asked = [] if known is None else [_asked(DiscoverySource.PROVIDERS, AskedResult.FOUND, 0)]
        return Discovered(
            provider=known, candidates=candidates(found, {}, address), asked=asked, doubt=None
        )
    began = time.monotonic()
    async with means.slots:
        search = _Search(address, means, began + means.seconds * _ASKING_SHARE)
        found, asked = await search.ask_all()
        knocked = await search.knock_at(found, until=began + means.seconds)
    ranked = candidates(found, knocked, address)
    best = next((one for one in ranked if one.provider is not None), None)
    return Discovered(
        provider=search.mail_taken_by or (best and provider_of_host(best.place.host)),
        candidates=ranked,
        asked=asked,
        doubt=search.doubt,
    )


class _Search:
    """The search for one address."""

    def __init__(self, address: MailAddress, means: Means, until: float) -> None:
        self.mail_taken_by: Provider | None = None
        self.doubt: AddressDoubt | None = None
        self._address = address
        self._means = means
        self._until = until
        self._names = Names(means.name_servers, max(0.1, until - time.monotonic()))
        self._knocked: dict[Place, Knock] = {}

    async def ask_all(self) -> tuple[list[Found], list[Asked]]:
        """Every source at once; who takes too long is left."""
        began = time.monotonic()
        asking = {
            source: asyncio.create_task(_noted(ask))
            for source, ask in (
                (DiscoverySource.AUTOCONFIG, self._autoconfig),
                (DiscoverySource.MX, self._mx),
                (DiscoverySource.SRV, self._srv),
                (DiscoverySource.AUTODISCOVER, self._autodiscover),
                (DiscoverySource.WELL_KNOWN, self._well_known),
            )
        }
        await _until_enough(
            list(asking.values()), self._until, lambda said: any(one.is_vouched for one in said[0])
        )
        found: list[Found] = []
        asked: list[Asked] = []
        for source, task in asking.items():
            late = ([], AskedResult.TIMED_OUT, round((time.monotonic() - began) * 1000))
            said, result, milliseconds = late if task.cancelled() else task.result()
            if source is DiscoverySource.WELL_KNOWN:  # some may have answered before time was up
                said = self._answering()
                result = AskedResult.FOUND if said else result
            found += said
            asked.append(_asked(source, result, milliseconds))
        return found, asked

    async def knock_at(self, found: Sequence[Found], *, until: float) -> dict[Place, Knock]:
        """Knock at what was named by others and is nobody's we know."""
        places = [
            place
            for place in dict.fromkeys(one.place for one in found)
            if place not in self._knocked and not is_known(place)
        ]
        await self._knock(places[:_MOST_KNOCKS], until)
        # What came beyond that is nobody's honest answer.
        self._knocked |= dict.fromkeys(places[_MOST_KNOCKS:], Knock.BARRED)
        return self._knocked

    # --- The sources ------------------------------------------------------------------------------

    async def _mx(self) -> list[Found]:
        try:
            exchanges = await self._names.exchanges(self._address.domain)
        except NoSuchDomain:
            self.doubt = AddressDoubt.DOMAIN_NOT_FOUND
            return []
        if exchanges == [""]:
            self.doubt = AddressDoubt.DOMAIN_TAKES_NO_MAIL
            return []
        taking = (provider_of_mx(exchange) for exchange in exchanges)
        self.mail_taken_by = next((one for one in taking if one is not None), None)
        if self.mail_taken_by is None:
            return []
        return of_provider(self.mail_taken_by, self._address, DiscoverySource.MX)

    async def _srv(self) -> list[Found]:
        domain = self._address.domain
        answers = await asyncio.gather(
            *(self._names.services(f"{name}.{domain}") for name, _, _ in _SRV)
        )
        return [
            Found(
                place=Place(protocol, host, service.port, security),
                source=DiscoverySource.SRV,
            )
            for (_, protocol, security), services in zip(_SRV, answers, strict=True)
            for service in services
            if (host := _host(service.host)) and service.port
        ]

    async def _autoconfig(self) -> list[Found]:
        """As Thunderbird looks for it; what is published over TLS counts first."""
        domain, path = self._address.domain, "mail/config-v1.1.xml"
        of_this = f"?emailaddress={quote(self._address.spec)}"
        urls = [
            f"https://autoconfig.{domain}/{path}{of_this}",
            f"https://{domain}/.well-known/autoconfig/{path}",
            f"http://autoconfig.{domain}/{path}",  # whoever is on the line needs not know whose
            f"http://{domain}/.well-known/autoconfig/{path}",
        ]

        def read(document: bytes, is_vouched: bool) -> list[Found]:
            return read_autoconfig(document, self._address, is_vouched=is_vouched)

        return await self._first_of(urls, read)

    async def _autodiscover(self) -> list[Found]:
        """As Outlook looks for it, over TLS only, and without a credential."""
        domain, path = self._address.domain, "autodiscover/autodiscover.xml"
        asking = Document(
            media_type="text/xml; charset=utf-8", content=autodiscover_request(self._address)
        )

        def read(document: bytes, is_vouched: bool) -> list[Found]:
            return read_autodiscover(document, is_vouched=is_vouched)

        urls = [f"https://autodiscover.{domain}/{path}", f"https://{domain}/{path}"]
        return await self._first_of(urls, read, posting=asking)

    async def _well_known(self) -> list[Found]:
        await self._knock(guesses(self._address.domain), self._until)
        return self._answering()

    def _answering(self) -> list[Found]:
        """Where a mail server is, by the names that they mostly have."""
        return [
            Found(place=place, source=DiscoverySource.WELL_KNOWN)
            for place in guesses(self._address.domain)
            if self._knocked.get(place) is Knock.HEARD
        ]

    # --- What they are asked with -----------------------------------------------------------------

    async def _first_of(
        self,
        urls: Sequence[str],
        read: Callable[[bytes, bool], list[Found]],
        posting: Document | None = None,
    ) -> list[Found]:
        """What the first of these addresses says that says anything; all are asked at once."""
        asking = [asyncio.create_task(self._told_at(url, read, posting)) for url in urls]
        late = await _until_enough(asking, self._until, bool)
        told = (task.result() for task in asking if not task.cancelled())
        if found := next((found for found in told if found), None):
            return found
        if late:
            raise TimeoutError
        return []

    async def _told_at(
        self, url: str, read: Callable[[bytes, bool], list[Found]], posting: Document | None
    ) -> list[Found]:
        try:
            got, is_vouched = await self._followed(url, posting)
            return read(got.body, is_vouched) if got.status == 200 else []
        except (NotGot, NotSettings):
            return []

    async def _followed(self, url: str, posting: Document | None) -> tuple[Got, bool]:
        """What is at the end of some redirects, and whether each step was over TLS.

        Each is dialled as the first is; none leads from a protected line to an open one.
        """
        address, is_vouched = WebAddress.read(url), True
        for _ in range(_MOST_REDIRECTS + 1):
            if address is None:
                raise NotGot("nowhere to go")
            is_vouched = is_vouched and address.tls
            got = await get(
                address,
                agent=_AGENT,
                accept="application/xml, text/xml",
                policy=self._means.policy,
                dial_seconds=max(0.1, self._until - time.monotonic()),
                most_bytes=_MOST_BYTES,
                posting=posting,
            )
            if got.location is None:
                return got, is_vouched
            led = address.led_to(got.location)
            if led is not None and address.tls and not led.tls:
                raise NotGot("a redirect off TLS")
            address = led
        raise NotGot("too many redirects")

    async def _knock(self, places: Sequence[Place], until: float) -> None:
        seconds = max(0.1, until - time.monotonic())

        async def one(place: Place) -> None:
            self._knocked[place] = await knock(place, policy=self._means.policy, seconds=seconds)

        await asyncio.gather(*(one(place) for place in places))


async def _noted(
    ask: Callable[[], Awaitable[list[Found]]],
) -> tuple[list[Found], AskedResult, int]:
    """What a source says, or why it says nothing, and how long it took."""
    began = time.monotonic()
    found: list[Found] = []
    try:
        found = await ask()
    except TimeoutError:
        result = AskedResult.TIMED_OUT
    except (NotTold, NotGot):
        result = AskedResult.FAILED
    else:
        result = AskedResult.FOUND if found else AskedResult.NOTHING
    return found, result, round((time.monotonic() - began) * 1000)


async def _until_enough(
    tasks: Sequence[asyncio.Task[T]], until: float, is_enough: Callable[[T], bool]
) -> bool:
    """Wait for all, until time is up, or a moment longer than the first that says enough.

    Who is late is cancelled; whether anybody was.
    """
    waiting = set(tasks)
    try:
        while waiting:
            done, waiting = await asyncio.wait(
                waiting,
                timeout=max(0.0, until - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                break
            if any(is_enough(task.result()) for task in done):
                until = min(until, time.monotonic() + _GRACE_SECONDS)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return bool(waiting)


def _asked(source: DiscoverySource, result: AskedResult, milliseconds: int) -> Asked:
    return Asked(source=source, result=result, milliseconds=milliseconds)


def _host(text: str) -> str | None:
    try:
        return host_of(text)
    except ValueError:
        return None
