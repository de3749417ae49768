"""The NATS servers' configuration: one user per service, with the rights its card needs."""

import json
from pathlib import Path
from typing import Any

from shared.bus import bucket, values
from shared.bus.topology import STREAMS, consumers, stream_of
from shared.contracts.catalogue import FACTS, NUDGES, ORDERS, QUESTIONS, SERVICES

MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
USERS = ("admin", *SERVICES)
#: Who fills the bucket of attachments, and who reads what is in it.
_FETCHES = ("sync",)
_READS = ("api",)
#: Who lets go of what was buried of a tenant that is deleted.
_TENDS_THE_DEAD = ("api",)
#: Who shows how full the streams are.
_MEASURES = ("api",)
#: Whose replicas count together.
_COUNTS = ("api",)


def permissions(service: str) -> dict[str, Any]:
    """What a service's user may publish and subscribe to (NATS authorization)."""
    ours = {name: contract for name, (owner, contract) in consumers().items() if owner == service}
    publish = [
        *(fact.contract.channel for fact in FACTS if fact.voice == service),
        *(order.contract.channel for order in ORDERS if service in order.givers),
        *(question.contract.channel for question in QUESTIONS if service in question.askers),
        *(nudge.contract.channel for nudge in NUDGES if nudge.voice == service),
        "$JS.API.STREAM.INFO.FILL",
        "$JS.API.STREAM.INFO.MAIL",
    ]
    if service in _MEASURES:
        publish += [f"$JS.API.STREAM.INFO.{stream.name}" for stream in STREAMS]
    for name, contract in ours.items():
        stream = stream_of(contract)
        publish += [
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}",
            f"$JS.ACK.{stream}.{name}.>",
            f"dead.{name}",
        ]
    if service in _FETCHES:
        publish += [f"{bucket.FIRST_TOKEN}.>", f"$JS.API.STREAM.PURGE.{bucket.STREAM}"]
    if service in _FETCHES + _READS:
        publish.append(f"$JS.API.DIRECT.GET.{bucket.STREAM}.>")
    if service in _COUNTS:
        publish += [f"{values.FIRST_TOKEN}.>", f"$JS.API.DIRECT.GET.{values.STREAM}.>"]
    if service in _TENDS_THE_DEAD:
        publish += ["$JS.API.STREAM.MSG.GET.DEAD", "$JS.API.STREAM.MSG.DELETE.DEAD"]
    subscribe = [
        f"_INBOX.{service}.>",
        *(question.contract.channel for question in QUESTIONS if question.answers == service),
        *(nudge.contract.channel for nudge in NUDGES if service in nudge.listeners),
    ]
    return {
        "publish": {"allow": sorted(set(publish))},
        "subscribe": {"allow": sorted(set(subscribe))},
        "allow_responses": {"max": 1, "ttl": "1m"},
    }


def nats_config(
    *,
    host: str,
    port: int,
    store: Path,
    passwords: dict[str, str],
    http_port: int | None = None,
    http_host: str = "127.0.0.1",
    certificate: Path | None = None,
    key: Path | None = None,
) -> str:
    """A complete configuration file; NATS reads JSON as a form of its own syntax.

    With a certificate and its key nobody comes in without TLS.
    """
    users: list[dict[str, Any]] = []
    for user in USERS:
        entry: dict[str, Any] = {"user": user, "password": passwords[user]}
        if user != "admin":
            entry["permissions"] = permissions(user)
        users.append(entry)
    config: dict[str, Any] = {
        "server_name": "postbus",
        "listen": f"{host}:{port}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "max_pending": 8 * MAX_PAYLOAD_BYTES,
        "jetstream": {
            "store_dir": str(store),
            # The default writes through every two minutes; a PubAck must mean what it says.
            "sync_interval": "always",
            "max_memory_store": 256 * 1024 * 1024,
            "max_file_store": 64 * 1024 * 1024 * 1024,
        },
        "authorization": {"users": users},
    }
    if certificate is not None and key is not None:
        config["tls"] = {"cert_file": str(certificate), "key_file": str(key), "timeout": 5}
    if http_port is not None:
        config["http"] = f"{http_host}:{http_port}"
    return json.dumps(config, indent=2) + "\n"
