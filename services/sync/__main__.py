"""`python -m services.sync`: the listen or the answer role, as SYNC_ROLE says.

With `rethread [ACCOUNT]`: have the threads of an account, or of all, made anew.
"""

import argparse
import asyncio
import sys
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.sync.app import main, rethread
from shared.contracts.ids import Kind, NotAnId, read
from shared.telemetry import run


def _account_id(given: str) -> UUID:
    try:
        return read(Kind.ACCOUNT, given)
    except NotAnId:
        return UUID(given)  # argparse says what is wrong with anything else


def command() -> int:
    """Serve, or do one thing and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m services.sync")
    commands = parser.add_subparsers(dest="command")
    anew = commands.add_parser("rethread", help="make threads anew from what is kept")
    anew.add_argument(
        "account", nargs="?", type=_account_id, help="acc_…; every account if not given"
    )
    arguments = parser.parse_args()
    if arguments.command is None:
        run(main)
    try:
        accounts = asyncio.run(rethread(arguments.account))
    except (ValidationError, asyncpg.PostgresError, OSError) as error:
        print(f"rethread: {error}", file=sys.stderr)
        return 1
    if arguments.account is not None and not accounts:
        print("rethread: there is no such account", file=sys.stderr)
        return 1
    print(f"rethread: the threads of {accounts} accounts are made anew by those who keep them")
    return 0


if __name__ == "__main__":
    sys.exit(command())
