"""`python -m infra.certs DIRECTORY`: every certificate that the stack needs and does not have.

    DIRECTORY/authority/   the authority's key and certificate: nobody else's
    DIRECTORY/trust/       ca.crt, for whoever must know the servers inside
    DIRECTORY/postgres/    server.crt, server.key
    DIRECTORY/nats/        the same
    DIRECTORY/outside/     fullchain.pem, privkey.pem: what browsers and mail programs see, for
                           POSTBUS_HOSTNAME and MAIL_HOSTNAME

What is there and good for a while stays, and so does what another authority issued (ACME,
infra/certs/renew). `--owner postgres=999` says who is to read a key. Run it as often as you like.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.certs.issuing import Authority, is_good, is_of_others, write

_INSIDE = ("postgres", "nats")
_INSIDE_FILES = ("server.crt", "server.key")
_OUTSIDE_FILES = ("fullchain.pem", "privkey.pem")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.certs")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--owner", action="append", default=[], metavar="NAME=UID")
    given = parser.parse_args()
    owners = {name: int(uid) for name, _, uid in (one.partition("=") for one in given.owner)}
    try:
        for told in certificates(given.directory, owners):
            print(f"certs: {told}")
    except (OSError, ValueError, TypeError) as error:
        print(f"certs: {error}", file=sys.stderr)
        return 1
    return 0


def certificates(directory: Path, owners: dict[str, int]) -> list[str]:
    """Make what is missing; say what was made."""
    for name in ("authority", "trust", "outside", *_INSIDE):
        (directory / name).mkdir(parents=True, exist_ok=True)
    authority = Authority(directory / "authority")
    trusted = directory / "trust/ca.crt"
    known = authority.certificate_file.read_bytes()
    if not trusted.exists() or trusted.read_bytes() != known:
        write(trusted, known, mode=0o644)
    told: list[str] = []
    inside = [_Server(directory / name, _INSIDE_FILES, _inside(name)) for name in _INSIDE]
    # Together: Prometheus asks NATS, and then knows until when PostgreSQL's is good.
    is_due = any(server.is_due(authority) for server in inside)
    for server in inside:
        if is_due and not server.is_of_others(authority):
            told.append(server.issue(authority, owners.get(server.directory.name)))
    outside = _Server(directory / "outside", _OUTSIDE_FILES, _hostnames())
    if outside.is_due(authority):
        told.append(outside.issue(authority, owners.get("outside")))
    return told


@dataclass(frozen=True)
class _Server:
    """Who has a certificate: where it lies, in which files, and for which names."""

    directory: Path
    files: tuple[str, str]
    names: list[str]

    def is_due(self, authority: Authority) -> bool:
        certificate_file, key_file = (self.directory / file for file in self.files)
        return not key_file.exists() or not is_good(authority, certificate_file, self.names)

    def is_of_others(self, authority: Authority) -> bool:
        return is_of_others(authority, self.directory / self.files[0])

    def issue(self, authority: Authority, owner: int | None) -> str:
        certificate_file, key_file = (self.directory / file for file in self.files)
        certificate, key = authority.issue(self.names)
        # The certificate last: who watches it finds the key that belongs to it.
        write(key_file, key, mode=0o600, owner=owner)
        write(certificate_file, certificate, mode=0o644, owner=owner)
        return f"{self.directory.name}: issued for {', '.join(self.names)}"


def _inside(name: str) -> list[str]:
    """By the service's name for the containers; from the host through a port that is forwarded."""
    return [name, "localhost", "127.0.0.1"]


def _hostnames() -> list[str]:
    said = [os.environ.get("POSTBUS_HOSTNAME"), os.environ.get("MAIL_HOSTNAME")]
    return list(dict.fromkeys([*(name for name in said if name), "localhost", "127.0.0.1"]))


if __name__ == "__main__":
    sys.exit(main())
