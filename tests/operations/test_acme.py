"""The certificate of the world's authority: asked for, proven by nginx, put in place, taken up."""

import asyncio
import os
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509

from tests.servers.authority import Authority
from tests.servers.certificate import self_signed
from tests.servers.name_server import NameServer, running_name_server
from tests.servers.nginx import Nginx
from tests.servers.process import LOOPBACK, ServerUnavailable, short_directory

ROOT = Path(__file__).parents[2]
NAMES = ("post.example.org", "mx.example.org")
NOBODY = "nobody" if os.geteuid() == 0 else None  # as who nginx is


class Door:
    """nginx, and the certificate that it shows."""

    def __init__(self, directory: Path, names: NameServer) -> None:
        self.certificates = directory / "certs"
        self.certificates.mkdir()
        for made, name in zip(
            self_signed(self.certificates), ("fullchain.pem", "privkey.pem"), strict=True
        ):
            made.rename(self.certificates / name)
        self.nginx = Nginx(
            directory,
            f"http://{LOOPBACK}:1",  # nobody is behind it yet
            NGINX_CERTIFICATE=str(self.certificates / "fullchain.pem"),
            NGINX_CERTIFICATE_KEY=str(self.certificates / "privkey.pem"),
        )
        self.names = names

    async def shown(self) -> x509.Certificate:
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("localhost", self.nginx.https_port, ssl=anybody)
        spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
        writer.close()
        shown = spoken.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown)

    async def renew(self, authority: Authority, state: Path) -> tuple[int, str]:
        """What `infra/certs/renew once` ends with, and says."""
        asked = await asyncio.create_subprocess_exec(
            ROOT / "infra/certs/renew",
            "once",
            env={
                "PATH": os.environ["PATH"],
                "ACME_EMAIL": "postmaster@example.org",
                "POSTBUS_HOSTNAME": NAMES[0],
                "MAIL_HOSTNAME": NAMES[1],
                "ACME_SERVER": authority.url,
                "ACME_DIRECTORY": str(self.nginx.acme),
                "ACME_STATE": str(state),
                "CERTIFICATES": str(self.certificates),
                "REQUESTS_CA_BUNDLE": str(authority.certificate),
            },
            user=NOBODY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asked.communicate()
        assert asked.returncode is not None
        return asked.returncode, said.decode(errors="replace")


@pytest_asyncio.fixture(loop_scope="session")
async def door() -> AsyncIterator[Door]:
    try:
        Nginx.require()
        Authority.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    async with running_name_server() as names:
        with short_directory("postbus-acme-") as directory:
            made = Door(directory, names)
            with made.nginx:
                yield made


@pytest_asyncio.fixture(loop_scope="session")
async def authority(door: Door) -> AsyncIterator[Authority]:
    with (
        short_directory("postbus-pebble-") as directory,
        Authority(directory, names=door.names.address, http_port=door.nginx.http_port) as authority,
    ):
        yield authority


async def test_a_certificate_is_had_from_an_authority_and_shown_until_it_is_due(
    door: Door, authority: Authority
) -> None:
    door.names.zone |= {(name, "A"): [LOOPBACK] for name in NAMES}
    state = door.nginx.acme.parent / "state"
    state.mkdir()
    state.chmod(0o777)
    before = await door.shown()

    status, said = await door.renew(authority, state)

    assert status == 0, said
    assert "put: a new certificate" in said
    async with asyncio.timeout(60):
        while (now := await door.shown()) == before:
            await asyncio.sleep(0.05)
    assert "Pebble" in now.issuer.rfc4514_string()
    spoken_for = now.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(spoken_for.get_values_for_type(x509.DNSName)) == set(NAMES)
    assert stat.S_IMODE((door.certificates / "privkey.pem").stat().st_mode) == 0o600

    # It is not due, so it stays as it is.
    status, said = await door.renew(authority, state)
    assert (status, "put: a new certificate" in said) == (0, False), said
    assert await door.shown() == now


async def test_who_cannot_prove_a_name_keeps_the_certificate_that_is_there(
    door: Door, authority: Authority
) -> None:
    door.names.zone[NAMES[0], "A"] = [LOOPBACK]
    door.names.nobody.add(NAMES[1])
    state = door.nginx.acme.parent / "state"
    state.mkdir()
    state.chmod(0o777)
    before = await door.shown()

    status, said = await door.renew(authority, state)

    assert status != 0, said
    assert await door.shown() == before
    kept = x509.load_pem_x509_certificate((door.certificates / "fullchain.pem").read_bytes())
    assert kept == before
