"""infra/certs: what is issued, to whom it is readable, and what is left alone."""

import asyncio
import os
import ssl
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import nats
import pytest
from cryptography import x509
from pydantic import SecretStr

from infra.certs import issuing
from infra.certs.__main__ import certificates
from infra.dev.nats import EmbeddedNats
from infra.dev.process import free_port
from shared.bus import BusSettings, open_bus
from shared.bus.nats_config import USERS
from tests.servers.blackbox import Blackbox
from tests.servers.certificate import self_signed
from tests.servers.process import ServerUnavailable, short_directory

ROOT = Path(__file__).parents[2]


@pytest.fixture
def issued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POSTBUS_HOSTNAME", "post.example.org")
    monkeypatch.setenv("MAIL_HOSTNAME", "mx.example.org")
    certificates(tmp_path, {})
    return tmp_path


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def names_of(file: Path) -> set[str]:
    there = x509.load_pem_x509_certificate(file.read_bytes()).extensions
    found = there.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_every_key_is_for_its_owner_alone(issued: Path) -> None:
    keys = [path for path in contents(issued) if path.suffix == ".key" or "privkey" in path.name]
    assert len(keys) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


def test_whoever_must_know_the_servers_gets_no_key(issued: Path) -> None:
    assert [path.name for path in (issued / "trust").iterdir()] == ["ca.crt"]
    assert b"PRIVATE" not in (issued / "trust/ca.crt").read_bytes()


def test_a_certificate_that_is_good_stays_as_it_is(issued: Path) -> None:
    before = contents(issued)
    assert certificates(issued, {}) == []
    assert contents(issued) == before


def test_another_name_or_an_end_that_is_near_brings_a_new_one(
    issued: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = issued / "outside/fullchain.pem"
    assert names_of(outside) == {"post.example.org", "mx.example.org", "localhost", "127.0.0.1"}
    monkeypatch.setenv("POSTBUS_HOSTNAME", "other.example.org")
    assert certificates(issued, {}) == [
        "outside: issued for other.example.org, mx.example.org, localhost, 127.0.0.1"
    ]
    assert "other.example.org" in names_of(outside)
    before = contents(issued)
    monkeypatch.setattr(issuing, "RENEWED_WITHIN", timedelta(days=400))
    assert len(certificates(issued, {})) == 3
    changed = {path.name for path, content in contents(issued).items() if content != before[path]}
    assert changed == {"server.crt", "server.key", "fullchain.pem", "privkey.pem"}


def test_those_inside_are_of_one_moment_so_that_one_tells_of_both(issued: Path) -> None:
    before = contents(issued)
    (issued / "nats/server.key").unlink()
    assert [told.partition(":")[0] for told in certificates(issued, {})] == ["postgres", "nats"]
    changed = {path for path, content in contents(issued).items() if content != before[path]}
    assert {path.parent.name for path in changed} == {"postgres", "nats"}
    foreign, key = self_signed(issued)
    foreign.rename(issued / "postgres/server.crt")
    key.rename(issued / "postgres/server.key")
    (issued / "nats/server.key").unlink()
    assert [told.partition(":")[0] for told in certificates(issued, {})] == ["nats"]


def test_what_another_authority_issued_is_left_alone(issued: Path) -> None:
    certificate, key = self_signed(issued)
    certificate.rename(issued / "outside/fullchain.pem")
    key.rename(issued / "outside/privkey.pem")
    assert certificates(issued, {}) == []


def test_browsers_take_no_certificate_that_lives_longer_than_398_days(issued: Path) -> None:
    certificate = x509.load_pem_x509_certificate((issued / "outside/fullchain.pem").read_bytes())
    assert certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=398)


def test_a_renewed_certificate_is_put_in_place_once_and_its_key_is_closed(
    tmp_path: Path,
) -> None:
    renewed, place = tmp_path / "live", tmp_path / "certs"
    renewed.mkdir()
    place.mkdir()
    for certificate, name in zip(self_signed(renewed), ("fullchain", "privkey"), strict=True):
        certificate.rename(renewed / f"{name}.pem")
        (renewed / f"{name}.pem").chmod(0o644)

    def put() -> str:
        return subprocess.run(
            [ROOT / "infra/certs/put", renewed],
            env={"PATH": os.environ["PATH"], "CERTIFICATES": str(place)},
            capture_output=True,
            text=True,
            check=True,
        ).stderr

    assert "a new certificate" in put()
    assert put() == ""
    assert {path.name for path in place.iterdir()} == {"fullchain.pem", "privkey.pem"}
    assert stat.S_IMODE((place / "privkey.pem").stat().st_mode) == 0o600
    assert (place / "fullchain.pem").read_bytes() == (renewed / "fullchain.pem").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
def test_a_key_is_given_to_who_reads_it(tmp_path: Path) -> None:
    certificates(tmp_path, {"postgres": 999})
    assert (tmp_path / "postgres/server.key").stat().st_uid == 999
    assert (tmp_path / "nats/server.key").stat().st_uid == 0


def bus_config(issued: Path, port: int) -> Path:
    config = issued / "nats.conf"
    environment = {f"NATS_{user.upper()}_PASSWORD": f"of-{user}" for user in USERS}
    arguments = ["--port", str(port), "--store", str(issued / "store")]
    arguments += ["--certificate", str(issued / "nats/server.crt")]
    arguments += ["--key", str(issued / "nats/server.key"), "--out", str(config)]
    subprocess.run(
        [sys.executable, "-m", "shared.bus", "nats-config", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
    )
    return config


async def test_prometheus_is_told_until_when_the_certificates_inside_are_good(issued: Path) -> None:
    port = free_port()
    before = time.time()
    with short_directory("postbus-blackbox-") as directory:
        async with EmbeddedNats(bus_config(issued, port), port), httpx.AsyncClient() as http:
            try:
                exporter = await asyncio.to_thread(Blackbox(directory).__enter__)
            except ServerUnavailable as error:
                pytest.skip(str(error))
            try:
                seen = await http.get(
                    f"http://127.0.0.1:{exporter.port}/probe",
                    params={"module": "nats_tls", "target": f"127.0.0.1:{port}"},
                )
            finally:
                await asyncio.to_thread(exporter.stop)
    told = dict(line.rsplit(" ", 1) for line in seen.text.splitlines())
    assert told["probe_success"] == "1", seen.text
    days = (float(told["probe_ssl_earliest_cert_expiry"]) - before) / 86400
    assert 396 < days < 398


async def test_the_bus_is_spoken_to_over_tls_only_and_its_name_is_checked(issued: Path) -> None:
    port = free_port()
    config = bus_config(issued, port)
    password = issued / "password"
    password.write_text("of-api\n")
    async with EmbeddedNats(config, port):
        with pytest.raises(Exception, match=r"(?i)tls|ssl|certificate"):
            await nats.connect(f"nats://api:of-api@127.0.0.1:{port}", allow_reconnect=False)
        settings = BusSettings(
            bus_url=SecretStr(f"tls://api@localhost:{port}"),
            bus_password=SecretStr("of-api"),
            bus_ca_file=issued / "trust/ca.crt",
        )
        async with asyncio.timeout(60), open_bus(settings, service="api") as bus:
            assert bus.is_connected
        stranger = ssl.create_default_context(cafile=str(self_signed(issued)[0]))
        with pytest.raises(ssl.SSLCertVerificationError):
            await nats.connect(
                f"tls://api:of-api@localhost:{port}", tls=stranger, allow_reconnect=False
            )
