"""`python -m services.api`: serve; `new-jwt-key FILE`: new token keys; `--help`: what else."""

import argparse
import asyncio
import os
import resource
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

from services.api import commands as commands_of_operators
from services.api.actions.ask_retelling import ask_retelling
from services.api.app import main
from services.api.domain.tokens import KEY_BYTES, KeysUnusable, TokenKeys
from services.api.settings import Settings
from shared.db import open_pool
from shared.telemetry import run


def command() -> int:
    """What the words after the module's name ask for."""
    parser = argparse.ArgumentParser(prog="python -m services.api")
    commands = parser.add_subparsers(dest="command")
    new_key = commands.add_parser("new-jwt-key", help="a new key signs; older ones stay believed")
    new_key.add_argument("file", type=Path)
    commands.add_parser("retell", help="have sync tell everything again, after rows were lost")
    commands_of_operators.add_to(commands)
    arguments = parser.parse_args()
    match arguments.command:
        case "new-jwt-key":
            return _new_key(arguments.file)
        case "retell":
            return asyncio.run(_retell())
        case None:
            open_many_files()
            return run(main)
        case _:
            return _operate(arguments)


def open_many_files() -> None:
    """Each stream is an open file, and shells let a program have 1,024: take all that we may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _new_key(file: Path) -> int:
    kid = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
    key = secrets.token_bytes(KEY_BYTES)
    try:
        keys = TokenKeys.read(file.read_text("utf-8")).with_new(kid, key)
    except FileNotFoundError:
        keys = TokenKeys(kid, {kid: key})
    except (OSError, KeysUnusable) as error:
        print(f"new-jwt-key: {error}", file=sys.stderr)
        return 1
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(keys.written())
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    print(f"new-jwt-key: {kid} signs from now on")
    return 0


def _operate(arguments: argparse.Namespace) -> int:
    try:
        asyncio.run(commands_of_operators.obey(arguments))
    except commands_of_operators.CannotDo as reason:
        print(f"{arguments.command}: {reason}", file=sys.stderr)
        return 1
    return 0


async def _retell() -> int:
    settings = Settings()  # pyright: ignore[reportCallIssue]  - from the environment
    async with open_pool(settings.database_url, settings, name="api retell", size=2) as pool:
        print(f"retell: asked for, generation {await ask_retelling(pool)}")
    return 0


if __name__ == "__main__":
    sys.exit(command())
