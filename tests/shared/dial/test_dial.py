import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

import pytest
from pydantic_settings import SettingsConfigDict

from shared.dial import (
    AddressRefused,
    ConnectRefused,
    ConnectTimedOut,
    DialError,
    DialSettings,
    NameLookupFailed,
    NameNotFound,
    Policy,
    Unreachable,
    dial,
    tls_context,
)

NOTHING_PRIVATE = Policy()
LOOPBACK = Policy((ip_network("127.0.0.0/8"), ip_network("::1/128")))

Answers = Callable[[str], list[str]]


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What each name answers, question by question; the last answer is not repeated."""
    answers: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in answers:
            return real(host, port, *args, **kwargs)
        return [
            found for text in answers[host].pop(0) for found in real(text, port, *args, **kwargs)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


async def test_an_allowed_server_is_reached_without_delay_and_without_blocking(listening: int):
    sock = await dial("127.0.0.1", listening, policy=LOOPBACK, timeout=5)
    with sock:
        assert sock.getpeername() == ("127.0.0.1", listening)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not sock.getblocking()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "127。0。0。1",  # ideographic full stops
        "１２７.0.0.1",  # full-width digits
        "localhost",
        "0.0.0.0",
        "0",
        "10.1.2.3",
        "100.64.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
    ],
)
async def test_no_way_of_writing_a_private_address_gets_past(host: str):
    with pytest.raises(AddressRefused):
        await dial(host, 143, policy=NOTHING_PRIVATE, timeout=5)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "64:ff9b::1.1.1.1",
        "2002:101:101::1",
        "::ffff:1.1.1.1",
    ],
)
def test_public_addresses_are_everybodys(address: str):
    assert NOTHING_PRIVATE.allows(ip_address(address))


def test_the_operators_list_opens_only_what_it_names():
    lan = Policy((ip_network("192.168.1.0/24"),))

    assert lan.allows(ip_address("192.168.1.20"))
    assert lan.allows(ip_address("::ffff:192.168.1.20"))
    assert not lan.allows(ip_address("192.168.2.20"))
    assert not lan.allows(ip_address("::1"))
    assert not lan.allows(ip_address("64:ff9b::192.168.1.20"))


async def test_a_name_is_asked_once_and_what_it_answers_later_is_never_used(
    names: dict[str, list[list[str]]], listening: int
):
    names["rebinding.example"] = [["127.0.0.1"], ["127.0.0.2"]]

    with await dial("rebinding.example", listening, policy=LOOPBACK, timeout=5) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"
    assert names["rebinding.example"] == [["127.0.0.2"]]


async def test_a_name_that_turns_private_is_refused_however_public_it_was(
    names: dict[str, list[list[str]]],
):
    names["rebinding.example"] = [["10.0.0.1"], ["1.1.1.1"]]

    with pytest.raises(AddressRefused):
        await dial("rebinding.example", 143, policy=NOTHING_PRIVATE, timeout=5)
    assert names["rebinding.example"] == [["1.1.1.1"]]


async def test_of_a_names_addresses_only_the_allowed_ones_are_tried(
    names: dict[str, list[list[str]]], listening: int
):
    names["mixed.example"] = [["10.0.0.1", "192.168.0.1", "127.0.0.1"]]
    one = Policy((IPv4Network("127.0.0.1/32"),))

    started = time.monotonic()
    with await dial("mixed.example", listening, policy=one, timeout=30) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"
    assert time.monotonic() - started < 2


async def test_the_next_address_is_tried_when_one_refuses(
    names: dict[str, list[list[str]]], listening: int
):
    names["two.example"] = [["127.0.0.9", "127.0.0.1"]]

    with await dial("two.example", listening, policy=LOOPBACK, timeout=5) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


async def test_an_address_that_swallows_packets_leaves_time_for_the_next(
    names: dict[str, list[list[str]]], listening: int
):
    names["half.example"] = [["127.0.0.5", "127.0.0.1"]]
    with (
        _deaf("127.0.0.5", listening),
        await dial("half.example", listening, policy=LOOPBACK, timeout=1) as sock,
    ):
        assert sock.getpeername()[0] == "127.0.0.1"


async def test_a_deaf_server_times_out_and_says_so(listening: int):
    with _deaf("127.0.0.5", listening), pytest.raises(ConnectTimedOut) as raised:
        await dial("127.0.0.5", listening, policy=LOOPBACK, timeout=0.2)
    assert isinstance(raised.value, TimeoutError)
    assert str(raised.value) == "The server did not answer in time."


async def test_a_closed_port_is_told_apart_from_silence(closed_port: int):
    with pytest.raises(ConnectRefused) as raised:
        await dial("127.0.0.1", closed_port, policy=LOOPBACK, timeout=5)
    assert isinstance(raised.value, ConnectionError)
    assert raised.value.reason == "connect_refused"


async def test_the_most_telling_failure_speaks_for_all_addresses(
    names: dict[str, list[list[str]]], closed_port: int
):
    names["failing.example"] = [["255.255.255.255", "127.0.0.1"]]  # no route for TCP; then refused
    both = Policy((*LOOPBACK.allowed_networks, ip_network("255.255.255.255/32")))

    with pytest.raises(ConnectRefused):
        await dial("failing.example", closed_port, policy=both, timeout=5)


async def test_no_way_there_is_unreachable():
    broadcast = Policy((ip_network("255.255.255.255/32"),))
    with pytest.raises(Unreachable):
        await dial("255.255.255.255", 143, policy=broadcast, timeout=5)


@pytest.mark.parametrize("port", [0, -1, 65536, 99999])
async def test_a_port_that_is_none_is_refused_before_anything_is_asked(port: int):
    with pytest.raises(Unreachable):
        await dial("127.0.0.1", port, policy=LOOPBACK, timeout=5)


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        "mail.example\n",
        "mail\0.example",
        "mail example",
        "a" * 64 + ".example",
        "a..example",
        "x" * 254,
        "\u2603\u200b\u200d.\ud800",
    ],
)
async def test_what_can_be_no_name_is_not_found(host: str):
    with pytest.raises((NameNotFound, NameLookupFailed)):
        await dial(host, 143, policy=NOTHING_PRIVATE, timeout=5)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(socket.EAI_NONAME, NameNotFound), (socket.EAI_AGAIN, NameLookupFailed)],
)
async def test_no_such_name_is_told_apart_from_a_resolver_that_is_away(
    monkeypatch: pytest.MonkeyPatch, code: int, expected: type[DialError]
):
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(code, "said the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(expected):
        await dial("mail.example", 143, policy=NOTHING_PRIVATE, timeout=5)


async def test_a_silent_resolver_is_waited_for_no_longer_than_asked(
    monkeypatch: pytest.MonkeyPatch,
):
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        time.sleep(0.6)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    started = time.monotonic()
    with pytest.raises(NameLookupFailed):
        await dial("mail.example", 143, policy=NOTHING_PRIVATE, timeout=0.1)
    assert time.monotonic() - started < 0.5


async def test_names_beyond_ascii_are_looked_up_as_dns_knows_them(
    names: dict[str, list[list[str]]], listening: int
):
    names["xn--strae-oqa.example"] = [["127.0.0.1"]]

    with await dial("Straße.example", listening, policy=LOOPBACK, timeout=5) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


async def test_a_cancelled_dial_leaves_no_socket_open(
    listening: int, monkeypatch: pytest.MonkeyPatch
):
    opened: list[socket.socket] = []
    real = socket.socket

    def counted(*args: Any, **kwargs: Any) -> socket.socket:
        opened.append(real(*args, **kwargs))
        return opened[-1]

    with _deaf("127.0.0.5", listening):
        monkeypatch.setattr("shared.dial.dialling.socket.socket", counted)
        waiting = asyncio.create_task(dial("127.0.0.5", listening, policy=LOOPBACK, timeout=30))
        while not opened:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert [sock.fileno() for sock in opened] == [-1]


def test_the_refusal_never_tells_what_a_name_resolved_to():
    assert not any(character.isdigit() for character in str(AddressRefused()))


def test_the_operator_lists_networks_with_commas(monkeypatch: pytest.MonkeyPatch):
    class Settings(DialSettings):
        model_config = SettingsConfigDict(env_prefix="SYNC_")

    assert Settings().dial_policy == NOTHING_PRIVATE
    monkeypatch.setenv("SYNC_DIAL_ALLOWED_NETWORKS", "127.0.0.0/8, ::1/128,")
    monkeypatch.setenv("SYNC_DIAL_TIMEOUT_SECONDS", "3.5")

    settings = Settings()
    assert settings.dial_policy == LOOPBACK
    assert settings.dial_timeout_seconds == 3.5


@pytest.mark.parametrize("given", ["everything", "127.0.0.1/8", "10.0.0.0/33"])
def test_a_network_that_is_none_stops_the_start(given: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIAL_ALLOWED_NETWORKS", given)
    with pytest.raises(ValueError, match="dial_allowed_networks"):
        DialSettings()


def test_certificates_are_verified_unless_the_account_says_otherwise():
    assert tls_context().check_hostname
    assert not tls_context(verify=False).check_hostname
    assert tls_context() is tls_context()


class _deaf:
    """A listener whose queue is full: the kernel drops every further SYN."""

    def __init__(self, host: str, port: int) -> None:
        self.server = socket.socket()
        self.server.bind((host, port))
        self.server.listen(0)
        self.callers: list[socket.socket] = []

    def __enter__(self) -> None:
        for _ in range(3):
            caller = socket.socket()
            caller.setblocking(False)
            caller.connect_ex(self.server.getsockname())
            self.callers.append(caller)

    def __exit__(self, *_: object) -> None:
        for sock in (*self.callers, self.server):
            sock.close()
