import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts.account import Security
from shared.dial.providers import (
    Provider,
    ProvidersUnreadable,
    SignIn,
    StepKind,
    know_providers,
    provider_named,
    provider_of_domain,
    provider_of_host,
    provider_of_mx,
    providers,
)

#: TLS from the first byte on a port that is for STARTTLS (RFC 8314 §7.3), as the provider has it.
_TLS_ELSEWHERE = {("mobile.charter.net", 587)}
_NAME = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")


def _ids(provider: Provider) -> str:
    return provider.name


@pytest.mark.parametrize("provider", providers(), ids=_ids)
def test_whoever_is_listed_can_be_told_and_signed_in_to(provider: Provider) -> None:
    assert provider.domains or provider.mx, "nobody would ever find it"
    for name in (*provider.domains, *provider.mx, *provider.hosts):
        assert _NAME.fullmatch(name), name
    can_be_used = bool(provider.imap and provider.smtp and provider.sign_in)
    assert can_be_used or any(
        step.kind in (StepKind.NO_IMAP, StepKind.NOTE) for step in provider.first
    ), "nobody would know what to do"
    assert (SignIn.OAUTH2 in provider.sign_in) == (provider.oauth2 is not None)
    for step in provider.first:
        assert step.text.endswith(".")
        assert step.link is None or step.link.startswith("https://")
        assert step.only_for is None or step.only_for in provider.sign_in
    if provider.sign_in and provider.sign_in[0] is SignIn.APP_PASSWORD:
        assert provider.first, "what to do first is the point of it"


@pytest.mark.parametrize("provider", providers(), ids=_ids)
def test_no_password_is_ever_sent_in_the_clear_to_a_known_provider(provider: Provider) -> None:
    servers = (*provider.imap, *provider.smtp)
    assert all(server.security is not Security.NONE for server in servers)
    for server in servers:
        implicit = server.port in (993, 465) or (server.host, server.port) in _TLS_ELSEWHERE
        assert server.security is Security.STARTTLS or implicit, server
        assert server.port not in (993, 465) or server.security is Security.TLS, server


def test_a_name_belongs_to_one_provider_only() -> None:
    for names in (
        [provider.name for provider in providers()],
        [domain for provider in providers() for domain in provider.domains],
        [mx for provider in providers() for mx in provider.mx],
        [host for provider in providers() for host in provider.hosts],
    ):
        assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("gmail.com", "google"),
        ("GMAIL.com.", "google"),
        ("hotmail.co.uk", "outlook"),
        ("contoso.onmicrosoft.com", "microsoft365"),
        ("ymail.com", "yahoo"),
        ("yahoo.co.jp", "yahoo-japan"),
        ("me.com", "icloud"),
        ("web.de", "webde"),
        ("pm.me", "proton"),
    ],
)
def test_an_address_is_known_by_its_domain(domain: str, name: str) -> None:
    provider = provider_of_domain(domain)
    assert provider is not None
    assert provider.name == name


def test_a_domain_is_a_providers_only_by_whole_labels() -> None:
    assert provider_of_domain("notgmail.com") is None
    assert provider_of_domain("gmail.com.example.org") is None
    assert provider_of_domain("com") is None
    assert provider_of_domain("") is None


@pytest.mark.parametrize(
    ("exchange", "name"),
    [
        ("aspmx.l.google.com.", "google"),
        ("ALT1.ASPMX.L.GOOGLE.COM", "google"),
        ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("contoso-com.o-v1.mx.microsoft", "microsoft365"),
        ("outlook-com.olc.protection.outlook.com", "outlook"),
        ("mta7.am0.yahoodns.net", "yahoo"),
        ("mx-aol.mail.gm0.yahoodns.net", "aol"),
        ("mxbiz1.qq.com", "exmail"),
        ("mx3.qq.com", "qq"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx1.mail.ovh.net", "ovh"),
        ("spool.mail.gandi.net", "gandi"),
    ],
)
def test_a_domain_of_ones_own_is_known_by_who_takes_its_mail(exchange: str, name: str) -> None:
    provider = provider_of_mx(exchange)
    assert provider is not None
    assert provider.name == name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("imap.gmail.com", "google"),
        ("outlook.office365.com", "microsoft365"),
        ("imap-mail.outlook.com", "outlook"),
        ("imap.mail.yahoo.com", "yahoo"),
        ("imap.exmail.qq.com", "exmail"),
        ("posteo.de", "posteo"),
    ],
)
def test_a_server_is_known_by_its_name(host: str, name: str) -> None:
    provider = provider_of_host(host)
    assert provider is not None
    assert provider.name == name


def test_ones_own_machine_is_nobodys() -> None:
    assert provider_of_host("127.0.0.1") is None


@pytest.fixture
def ours_again() -> Iterator[None]:
    yield
    know_providers(None)


@pytest.mark.usefixtures("ours_again")
def test_an_operators_table_counts_before_what_is_known(tmp_path: Path) -> None:
    table = tmp_path / "providers.toml"
    table.write_text("""
        [[provider]]
        name = "here"
        title = "Here"
        domains = ["gmail.com", "example.org"]
        hosts = ["mail.example.org"]
        imap = [{ host = "mail.example.org", port = 993 }]
        smtp = [{ host = "mail.example.org", port = 465 }]
        profile = { connections = 2 }

        [[provider]]
        name = "yahoo"
        title = "Yahoo, as it is here"
        hosts = ["yahoo.com"]
        profile = { connections = 5 }
        """)
    know_providers(table)
    for domain in ("gmail.com", "example.org"):
        assert (found := provider_of_domain(domain)) is not None
        assert found.name == "here"
    assert (yahoo := provider_of_host("imap.mail.yahoo.com")) is not None
    assert yahoo.profile.connections == 5
    assert provider_of_host("imap.gmail.com") is provider_named("google")


@pytest.mark.parametrize(
    "text", ["[[provider]]", "not TOML", '[[provider]]\nname = "x"\ntitle = "X"\nlimit = 1']
)
def test_an_operators_table_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    table = tmp_path / "providers.toml"
    table.write_text(text)
    with pytest.raises(ProvidersUnreadable, match=r"providers\.toml"):
        know_providers(table)
    with pytest.raises(ProvidersUnreadable):
        know_providers(tmp_path / "nowhere.toml")
    assert provider_named("google") is not None
