"""`python -m shared.bus`: topology, the servers' configuration, dead letters."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import nats
import nats.errors

from shared.bus.connection import trusting
from shared.bus.dead import dead_letters, replay
from shared.bus.nats_config import USERS, nats_config
from shared.bus.topology import OlderThanServers, apply
from shared.telemetry.secret_files import SecretFileUnreadable, secret, with_password


def main() -> int:
    """Settings come from the environment: BUS_ADMIN_URL, BUS_CA_FILE, NATS_<USER>_PASSWORD.

    A password may be in a file (`NATS_<USER>_PASSWORD_FILE`).
    """
    parser = argparse.ArgumentParser(prog="python -m shared.bus")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("apply", help="create and update streams and consumers")
    letters = commands.add_parser("dead-letters", help="list what could not be handled")
    letters.add_argument("consumer", nargs="?", default="*")
    again = commands.add_parser("replay", help="give dead letters another chance")
    again.add_argument("consumer", nargs="?", default="*")
    config = commands.add_parser("nats-config", help="write the servers' configuration")
    config.add_argument("--out", type=Path, required=True)
    config.add_argument("--host", default="127.0.0.1")
    config.add_argument("--port", type=int, required=True)
    config.add_argument("--http-port", type=int)
    config.add_argument("--http-host", default="127.0.0.1")
    config.add_argument("--store", type=Path, required=True)
    config.add_argument("--certificate", type=Path, help="then clients must speak TLS")
    config.add_argument("--key", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.command == "nats-config":
            _write_config(arguments)
            return 0
        url = with_password(os.environ["BUS_ADMIN_URL"], secret("NATS_ADMIN_PASSWORD"))
        return asyncio.run(_talk(arguments, url))
    except KeyError as missing:
        print(f"bus: {missing.args[0]} is not set", file=sys.stderr)
        return 2
    except (
        SecretFileUnreadable,
        OlderThanServers,
        nats.errors.Error,
        OSError,
        TimeoutError,
    ) as error:
        print(f"bus: {error or type(error).__name__}", file=sys.stderr)
        return 1


def _write_config(arguments: argparse.Namespace) -> None:
    text = nats_config(
        host=arguments.host,
        port=arguments.port,
        store=arguments.store,
        passwords={user: _password(user) for user in USERS},
        certificate=arguments.certificate,
        key=arguments.key,
        http_port=arguments.http_port,
        http_host=arguments.http_host,
    )
    descriptor = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)


def _password(user: str) -> str:
    name = f"NATS_{user.upper()}_PASSWORD"
    password = secret(name)
    if password is None:
        raise KeyError(name)
    return password


async def _talk(arguments: argparse.Namespace, url: str) -> int:
    authority = os.environ.get("BUS_CA_FILE")
    client = await nats.connect(
        url,
        allow_reconnect=False,
        connect_timeout=5,
        tls=trusting(Path(authority)) if authority else None,
    )
    try:
        js = client.jetstream(timeout=10.0)
        match arguments.command:
            case "apply":
                applied = await apply(client)
                print(f"bus: {len(applied.made)} made, {len(applied.removed)} removed")
                for service in applied.to_be_told_again:
                    print(f"bus: {service} will be told everything again")
            case "dead-letters":
                count = 0
                async for letter in dead_letters(js, arguments.consumer):
                    count += 1
                    print(
                        f"{letter.sequence}\t{letter.consumer}\t{letter.subject}\t"
                        f"{letter.deliveries} deliveries\t{letter.reason}"
                    )
                print(f"bus: {count} dead letters")
            case _:
                print(f"bus: {await replay(js, arguments.consumer)} told again")
    finally:
        await client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
