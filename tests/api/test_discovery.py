import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.api.actions.discover_servers import (
    AddressDoubt,
    AskedResult,
    Discovered,
    Means,
    discover_servers,
)
from services.api.domain.discovery import Candidate, Confidence, DiscoverySource, Protocol
from services.api.web import knocking, lines
from shared.contracts.account import Security
from shared.dial import AddressRefused, ConnectRefused, NameNotFound, Policy, dial
from shared.dial.providers import SignIn, StepKind
from tests.api.conftest import Person
from tests.servers.certificate import self_signed
from tests.servers.name_server import NameServer, running_name_server

LOOPBACK = Policy((ip_network("127.0.0.0/8"),))
DOMAIN = "example.org"
ADA = "ada@example.org"
CONFIG = "/mail/config-v1.1.xml"
WELL_KNOWN = "/.well-known/autoconfig/mail/config-v1.1.xml"
OUTLOOK = "/autodiscover/autodiscover.xml"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Internet:
    """Names and what listens behind them; whatever else is asked for is not there."""

    names: NameServer
    context: ssl.SSLContext
    opened: AsyncExitStack
    places: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    dialled: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    refused: list[str] = field(default_factory=list[str])
    heard: list[bytes] = field(default_factory=list[bytes])

    async def has(self, host: str, port: int, serve: Serve, *, tls: bool) -> None:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (ConnectionError, EOFError, ssl.SSLError):
                return  # the other end has heard enough
            finally:
                writer.transport.abort() if writer.is_closing() else writer.close()

        server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=self.context if tls else None)
        self.opened.callback(server.close)
        self.places[host, port] = server.sockets[0].getsockname()[1]

    async def publishes(
        self,
        host: str,
        pages: dict[str, bytes],
        *,
        tls: bool = True,
        status: str = "200 OK",
        headers: tuple[str, ...] = (),
    ) -> None:
        """A web server with these pages, and nothing else."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heard.append(head)
            page = pages.get(head.split(b" ")[1].decode().partition("?")[0])
            first = f"HTTP/1.1 {status if page is not None else '404 Not Found'}"
            said = [first, f"Content-Length: {len(page or b'')}", *headers, "", ""]
            writer.write("\r\n".join(said).encode() + (page or b""))
            await writer.drain()

        await self.has(host, 443 if tls else 80, serve, tls=tls)

    async def hangs(self, host: str, port: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        await self.has(host, port, serve, tls=False)

    async def greets(self, host: str, port: int, greeting: bytes, *, tls: bool = True) -> None:
        """A mail server that says so much, and offers STARTTLS where its line is open."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting + b"\r\n")
            while said := await reader.readline():
                if said.startswith(b"EHLO"):
                    writer.write(b"250-hello\r\n250 STARTTLS\r\n")
                elif b"STARTTLS" in said:
                    writer.write(b"a OK\r\n" if said.startswith(b"a ") else b"220 go\r\n")
                    await writer.drain()
                    await writer.start_tls(self.context)

        await self.has(host, port, serve, tls=tls)

    async def dial(self, host: str, port: int, *, policy: Policy, timeout: float) -> Any:
        self.dialled.append((host, port))
        if (host, port) in self.places:
            return await dial(
                "127.0.0.1", self.places[host, port], policy=LOOPBACK, timeout=timeout
            )
        if any(host == name for name, _ in self.places):
            raise ConnectRefused
        try:
            ip_address(host)
        except ValueError:
            if host not in ("localhost", "2130706433"):
                raise NameNotFound from None
        try:
            return await dial(host, port, policy=policy, timeout=timeout)
        except AddressRefused:
            self.refused.append(host)
            raise

    async def discovers(self, email: str = ADA, seconds: float = 60.0) -> Discovered:
        return await discover_servers(
            email,
            Means(
                slots=asyncio.Semaphore(1),
                policy=Policy(),
                name_servers=[self.names.address],
                seconds=seconds,
            ),
        )


@pytest_asyncio.fixture(loop_scope="session")
async def internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Internet]:
    certificate, key = self_signed(
        tmp_path, [DOMAIN, f"*.{DOMAIN}", "mail.host.example", "config.host.example"]
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=certificate)
    async with running_name_server() as names, AsyncExitStack() as opened:
        net = Internet(names=names, context=context, opened=opened)
        monkeypatch.setattr(lines, "dial", net.dial)
        monkeypatch.setattr(lines, "tls_context", lambda: trusting)
        monkeypatch.setattr(knocking, "tls_context", lambda: trusting)
        yield net


def of(found: Discovered, protocol: Protocol = Protocol.IMAP) -> list[Candidate]:
    return [one for one in found.candidates if one.place.protocol is protocol]


def hosts(found: Discovered, protocol: Protocol = Protocol.IMAP) -> list[tuple[str, int]]:
    return [(one.place.host, one.place.port) for one in of(found, protocol)]


def result(found: Discovered, source: DiscoverySource) -> AskedResult:
    return next(one.result for one in found.asked if one.source is source)


def config(*servers: str, more: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><clientConfig version="1.1">'
        f'<emailProvider id="x">{"".join(servers)}{more}</emailProvider></clientConfig>'
    ).encode()


def incoming(
    host: str, port: str = "993", socket: str = "SSL", kind: str = "imap", more: str = ""
) -> str:
    tag = "outgoingServer" if kind == "smtp" else "incomingServer"
    return (
        f'<{tag} type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{socket}</socketType>{more}</{tag}>"
    )


# --- What is known --------------------------------------------------------------------------------


async def test_a_known_providers_address_is_answered_without_asking_anybody(
    internet: Internet,
) -> None:
    found = await internet.discovers("ada@gmail.com")
    assert hosts(found) == [("imap.gmail.com", 993)]
    assert hosts(found, Protocol.SMTP) == [("smtp.gmail.com", 465), ("smtp.gmail.com", 587)]
    best = of(found)[0]
    assert (best.confidence, best.username) == (Confidence.HIGH, "ada@gmail.com")
    assert (best.sign_in[0], best.oauth2) == (SignIn.OAUTH2, "google")
    assert StepKind.APP_PASSWORD in [step.kind for step in best.first]
    assert not internet.dialled
    assert not internet.names.asked


async def test_it_says_as_whom_to_sign_in_at_each_server(internet: Internet) -> None:
    found = await internet.discovers("ada@icloud.com")
    assert [one.username for one in of(found)] == ["ada"]
    assert [one.username for one in of(found, Protocol.SMTP)] == ["ada@icloud.com"]


async def test_who_lets_no_programs_in_is_named_with_the_reason(internet: Internet) -> None:
    found = await internet.discovers("ada@tuta.com")
    assert not found.candidates
    assert found.provider is not None
    assert [step.kind for step in found.provider.first] == [StepKind.NO_IMAP]


async def test_a_bridges_user_name_is_left_to_the_person(internet: Internet) -> None:
    found = await internet.discovers("ada@proton.me")
    assert {one.username for one in found.candidates} == {None}
    assert {one.confidence for one in found.candidates} == {Confidence.LOW}


async def test_a_domain_of_ones_own_is_known_by_who_takes_its_mail(internet: Internet) -> None:
    internet.names.zone[DOMAIN, "MX"] = ["20 other.example.net.", "10 aspmx.l.google.com."]
    found = await internet.discovers()
    best = of(found)[0]
    assert (best.place.host, best.source) == ("imap.gmail.com", DiscoverySource.MX)
    assert (best.confidence, best.to_confirm) == (Confidence.HIGH, False)
    assert found.provider is not None
    assert found.provider.name == "google"
    assert ("imap.gmail.com", 993) not in internet.dialled


# --- What a domain publishes ----------------------------------------------------------------------


async def test_a_domains_own_configuration_is_believed_where_it_came_over_tls(
    internet: Internet,
) -> None:
    await internet.publishes(
        f"autoconfig.{DOMAIN}",
        {
            CONFIG: config(
                incoming("mail.host.example", more="<username>%EMAILLOCALPART%.x</username>"),
                incoming("mail.host.example", "587", "STARTTLS", "smtp"),
                incoming("mail.host.example", "995", "SSL", "pop3"),
                incoming("open.host.example", "143", "plain"),
                more='<enable visiturl="https://host.example/imap"><instruction lang="de">Nein'
                "</instruction><instruction>Switch  it\n on.</instruction></enable>",
            )
        },
    )
    await internet.greets("mail.host.example", 993, b"* OK ready")
    await internet.greets("mail.host.example", 587, b"220-hello\r\n220 ready", tls=False)
    found = await internet.discovers()
    assert hosts(found) == [("mail.host.example", 993)]
    imap, smtp = of(found)[0], of(found, Protocol.SMTP)[0]
    assert (imap.username, imap.source) == ("ada.x", DiscoverySource.AUTOCONFIG)
    assert (imap.confidence, imap.answered, imap.to_confirm) == (Confidence.HIGH, True, False)
    assert [(step.text, step.link) for step in imap.first] == [
        ("Switch it on.", "https://host.example/imap")
    ]
    assert (smtp.place.security, smtp.answered) == (Security.STARTTLS, True)
    assert smtp.username == ADA
    assert any(b"emailaddress=ada%40example.org" in head for head in internet.heard)


async def test_what_came_over_an_open_line_must_be_confirmed_and_named_nobody(
    internet: Internet,
) -> None:
    page = {CONFIG: config(incoming("mail.host.example"), incoming(f"imap.{DOMAIN}"))}
    await internet.publishes(f"autoconfig.{DOMAIN}", page, tls=False)
    await internet.greets("mail.host.example", 993, b"* OK ready")
    await internet.greets(f"imap.{DOMAIN}", 993, b"* OK ready")
    found = await internet.discovers()
    assert {one.place.host: one.to_confirm for one in of(found)} == {
        "mail.host.example": True,
        f"imap.{DOMAIN}": False,
    }
    assert of(found)[0].place.host == f"imap.{DOMAIN}"
    assert of(found)[0].also == (DiscoverySource.WELL_KNOWN,)
    assert not any(b"ada" in head for head in internet.heard)


async def test_autodiscover_is_asked_over_tls_and_without_a_credential(
    internet: Internet,
) -> None:
    answer = (
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
        'responseschema/2006"><Response xmlns="http://schemas.microsoft.com/exchange/'
        'autodiscover/outlook/responseschema/2006a"><Account><Action>settings</Action>'
        "<Protocol><Type>IMAP</Type><Server>mail.host.example</Server><Port>993</Port>"
        "<LoginName>EXAMPLE\\ada</LoginName></Protocol>"
        "<Protocol><Type>SMTP</Type><Server>mail.host.example</Server><Port>587</Port>"
        "<Encryption>TLS</Encryption></Protocol>"
        "<Protocol><Type>POP3</Type><Server>mail.host.example</Server><Port>995</Port></Protocol>"
        "</Account></Response></Autodiscover>"
    )
    await internet.publishes(f"autodiscover.{DOMAIN}", {OUTLOOK: answer.encode()})
    await internet.greets("mail.host.example", 993, b"* OK ready")
    found = await internet.discovers()
    assert [(one.username, one.answered) for one in of(found)] == [("EXAMPLE\\ada", True)]
    [smtp] = of(found, Protocol.SMTP)
    assert (smtp.place.port, smtp.place.security) == (587, Security.STARTTLS)
    assert smtp.confidence is Confidence.LOW  # nobody answers there
    asked = [head for head in internet.heard if head.startswith(b"POST")]
    assert asked
    assert not any(b"authorization" in head.lower() for head in internet.heard)
    assert (f"autodiscover.{DOMAIN}", 80) not in internet.dialled


async def test_srv_records_name_servers_in_their_order(internet: Internet) -> None:
    zone = internet.names.zone
    zone[f"_imaps._tcp.{DOMAIN}", "SRV"] = [
        f"20 0 993 second.{DOMAIN}.",
        f"10 0 9993 first.{DOMAIN}.",
    ]
    zone[f"_imap._tcp.{DOMAIN}", "SRV"] = ["0 0 0 ."]  # decidedly not
    zone[f"_submissions._tcp.{DOMAIN}", "SRV"] = ["0 1 465 mail.host.example."]
    for host, port in ((f"second.{DOMAIN}", 993), (f"first.{DOMAIN}", 9993)):
        await internet.greets(host, port, b"* OK ready")
    await internet.greets("mail.host.example", 465, b"220 ready")
    found = await internet.discovers()
    assert hosts(found) == [(f"first.{DOMAIN}", 9993), (f"second.{DOMAIN}", 993)]
    assert of(found)[0].confidence is Confidence.HIGH
    [smtp] = of(found, Protocol.SMTP)
    assert (smtp.to_confirm, smtp.confidence) == (True, Confidence.MEDIUM)  # RFC 6186 §6


async def test_usual_names_count_only_where_a_mail_server_answers(internet: Internet) -> None:
    await internet.greets(f"mail.{DOMAIN}", 143, b"* OK ready", tls=False)
    await internet.greets(f"imap.{DOMAIN}", 993, b"SSH-2.0-nothing of mail")
    await internet.greets(f"smtp.{DOMAIN}", 465, b"220 ready")
    found = await internet.discovers()
    assert hosts(found) == [(f"mail.{DOMAIN}", 143)]
    assert hosts(found, Protocol.SMTP) == [(f"smtp.{DOMAIN}", 465)]
    assert {one.confidence for one in found.candidates} == {Confidence.MEDIUM}


# --- Who lies, hangs and leads astray -------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1/mail/config-v1.1.xml",
        "https://localhost/mail/config-v1.1.xml",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/x",
    ],
)
async def test_a_redirect_leads_into_no_private_network(internet: Internet, location: str) -> None:
    await internet.publishes(
        f"autoconfig.{DOMAIN}",
        {CONFIG: b""},
        status="302 Found",
        headers=(f"Location: {location}",),
    )
    found = await internet.discovers()
    assert not found.candidates
    assert internet.refused, "it was tried, and refused by the dialling"
    assert result(found, DiscoverySource.AUTOCONFIG) is AskedResult.NOTHING


async def test_no_redirect_leads_off_tls(internet: Internet) -> None:
    page = {CONFIG: config(incoming("mail.host.example"))}
    await internet.publishes(
        f"autoconfig.{DOMAIN}",
        {CONFIG: b""},
        status="302 Found",
        headers=(f"Location: http://config.host.example{CONFIG}",),
    )
    await internet.publishes("config.host.example", page, tls=False)
    found = await internet.discovers()
    assert not found.candidates
    assert ("config.host.example", 80) not in internet.dialled


async def test_a_redirect_over_tls_is_followed_but_not_for_ever(internet: Internet) -> None:
    page = {CONFIG: config(incoming("mail.host.example"))}
    await internet.publishes("config.host.example", page)
    await internet.publishes(
        f"autoconfig.{DOMAIN}",
        {CONFIG: b""},
        status="301 Moved",
        headers=(f"Location: https://config.host.example{CONFIG}",),
    )
    await internet.greets("mail.host.example", 993, b"* OK ready")
    assert hosts(await internet.discovers()) == [("mail.host.example", 993)]
    await internet.publishes(
        f"autoconfig.{DOMAIN}",
        {CONFIG: b""},
        status="301 Moved",
        headers=(f"Location: https://autoconfig.{DOMAIN}{CONFIG}",),
    )
    internet.dialled.clear()
    assert not (await internet.discovers()).candidates
    assert internet.dialled.count((f"autoconfig.{DOMAIN}", 443)) == 4


async def test_servers_in_private_networks_are_not_proposed(internet: Internet) -> None:
    internet.names.zone[f"_imaps._tcp.{DOMAIN}", "SRV"] = ["0 0 993 localhost."]
    await internet.publishes(
        f"autoconfig.{DOMAIN}", {CONFIG: config(incoming("10.0.0.1"), incoming("127.0.0.1"))}
    )
    found = await internet.discovers()
    assert not found.candidates
    assert set(internet.refused) == {"localhost", "10.0.0.1", "127.0.0.1"}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "imap.example.org">]>'
            + config(incoming("&a;"))[21:],
            id="entities",
        ),
        pytest.param(
            b'<!DOCTYPE l [<!ENTITY a "lol">'
            + b"".join(
                b'<!ENTITY a%d "%s">' % (n, (b"&a%d;" % (n - 1) if n else b"&a;") * 10)
                for n in range(9)
            )
            + b"]><clientConfig>&a8;</clientConfig>",
            id="a bomb",
        ),
        pytest.param(
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><clientConfig>&a;'
            b"</clientConfig>",
            id="a file",
        ),
        pytest.param(b"<clientConfig>" + b" " * 70_000 + b"</clientConfig>", id="huge"),
        pytest.param(b"<a>" * 20_000, id="deep"),
        pytest.param(b"<html><body>Welcome</body></html>", id="a web page"),
        pytest.param(b'<?xml version="1.0" encoding="no-such"?><clientConfig/>', id="encoding"),
        pytest.param(b'<?xml version="1.0" encoding="utf-32"?><clientConfig/>', id="multi-byte"),
        pytest.param(b"\xff\xfe\x00", id="nonsense"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_a_document_that_is_no_configuration_says_nothing(
    internet: Internet, document: bytes
) -> None:
    pages = {CONFIG: document, WELL_KNOWN: document, OUTLOOK: document}
    await internet.publishes(f"autoconfig.{DOMAIN}", pages)
    await internet.publishes(f"autodiscover.{DOMAIN}", pages)
    await internet.publishes(DOMAIN, pages)
    found = await internet.discovers()
    assert not found.candidates
    assert result(found, DiscoverySource.AUTOCONFIG) is AskedResult.NOTHING


async def test_of_what_a_stranger_writes_only_what_can_be_a_server_is_taken(
    internet: Internet,
) -> None:
    await internet.publishes(
        f"autoconfig.{DOMAIN}",
        {
            CONFIG: config(
                incoming("not a host!"),
                incoming("a" * 300),
                incoming("mail.host.example", "0"),
                incoming("mail.host.example", "99999"),
                incoming("mail.host.example", "-1"),
                incoming("mail.host.example", "\u0661\u0662"),
                incoming(
                    "mail.host.example", more="<authentication>client-IP-address</authentication>"
                ),
                incoming("mail.host.example", "994", more="<username>%REALNAME%</username>"),
                more='<enable visiturl="javascript:alert(1)"><instruction>'
                + "x" * 1000
                + "</instruction></enable>",
            )
        },
    )
    await internet.greets("mail.host.example", 994, b"* OK ready")
    [only] = of(await internet.discovers())
    assert (only.place.port, only.username) == (994, ADA)
    assert [(len(step.text), step.link) for step in only.first] == [(300, None)]


async def test_a_thousand_servers_are_not_all_knocked_at(internet: Internet) -> None:
    internet.names.zone[f"_imaps._tcp.{DOMAIN}", "SRV"] = [
        f"0 0 {port} mail.host.example." for port in range(2000, 2200)
    ]
    found = await internet.discovers()
    assert len([port for host, port in internet.dialled if host == "mail.host.example"]) <= 16
    assert len(found.candidates) <= 16


async def test_who_hangs_is_left_and_the_others_are_heard(internet: Internet) -> None:
    for port in (443, 80):
        await internet.hangs(f"autoconfig.{DOMAIN}", port)
        await internet.hangs(f"autodiscover.{DOMAIN}", port)
    await internet.hangs(f"imap.{DOMAIN}", 993)
    await internet.greets(f"mail.{DOMAIN}", 993, b"* OK ready")
    found = await internet.discovers(seconds=6.0)
    assert hosts(found) == [(f"mail.{DOMAIN}", 993)]
    assert result(found, DiscoverySource.AUTOCONFIG) is AskedResult.TIMED_OUT
    assert result(found, DiscoverySource.AUTODISCOVER) is AskedResult.TIMED_OUT


async def test_what_a_second_address_says_counts_while_the_first_hangs(
    internet: Internet,
) -> None:
    await internet.hangs(f"autoconfig.{DOMAIN}", 443)
    await internet.publishes(DOMAIN, {WELL_KNOWN: config(incoming("mail.host.example"))})
    await internet.greets("mail.host.example", 993, b"* OK ready")
    found = await internet.discovers()
    assert hosts(found) == [("mail.host.example", 993)]
    assert result(found, DiscoverySource.AUTOCONFIG) is AskedResult.FOUND


@pytest.mark.parametrize("manner", ["silent", "garbled"])
async def test_without_name_servers_the_rest_is_asked(internet: Internet, manner: str) -> None:
    setattr(internet.names, manner, True)
    await internet.greets(f"imap.{DOMAIN}", 993, b"* OK ready")
    found = await internet.discovers(seconds=6.0)
    assert hosts(found) == [(f"imap.{DOMAIN}", 993)]
    assert result(found, DiscoverySource.MX) in (AskedResult.FAILED, AskedResult.TIMED_OUT)


async def test_a_certificate_for_another_name_makes_a_server_doubtful(
    internet: Internet,
) -> None:
    internet.names.zone[f"_imaps._tcp.{DOMAIN}", "SRV"] = ["0 0 993 other.host.example."]
    await internet.greets("other.host.example", 993, b"* OK ready")
    [only] = of(await internet.discovers())
    assert (only.answered, only.confidence) == (False, Confidence.LOW)


async def test_a_server_that_does_not_encrypt_is_not_guessed(internet: Internet) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        await reader.readline()
        writer.write(b"a BAD no such command\r\n")
        await writer.drain()

    await internet.has(f"imap.{DOMAIN}", 143, serve, tls=False)
    assert not (await internet.discovers()).candidates


async def test_a_domain_that_is_not_there_or_takes_no_mail_is_doubted(
    internet: Internet,
) -> None:
    internet.names.nobody.add(DOMAIN)
    assert (await internet.discovers()).doubt is AddressDoubt.DOMAIN_NOT_FOUND
    internet.names.nobody.clear()
    internet.names.zone[DOMAIN, "MX"] = ["0 ."]  # RFC 7505
    assert (await internet.discovers()).doubt is AddressDoubt.DOMAIN_TAKES_NO_MAIL


async def test_an_address_at_a_machine_is_nobodys_domain(internet: Internet) -> None:
    found = await internet.discovers("ada@[127.0.0.1]")
    assert not found.candidates
    assert not internet.dialled


# --- Over HTTP ------------------------------------------------------------------------------------


async def test_discovery_answers_what_can_be_tested_and_connected_as_it_is(ada: Person) -> None:
    answer = await ada.http.post("/discover", json={"email": "Ada@GMail.com"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["provider"]["name"] == "google"
    account = {
        "email": "ada@gmail.com",
        **{
            kind: found[kind][0]["server"] | {"password": "open sesame"}
            for kind in ("imap", "smtp")
        },
    }
    assert (await ada.http.post("/accounts", json=account)).status_code == 201


async def test_nothing_is_discovered_for_what_is_no_address(ada: Person) -> None:
    answer = await ada.http.post("/discover", json={"email": "nobody"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/email"
