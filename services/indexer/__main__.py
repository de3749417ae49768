"""`python -m services.indexer`: the memory; with `retell`, ask sync to tell everything again."""

import argparse
import asyncio
import sys
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.indexer.app import main, retell
from shared.contracts.ids import Kind, NotAnId, read
from shared.telemetry import run


def _account_id(given: str) -> UUID:
    try:
        return read(Kind.ACCOUNT, given)
    except NotAnId:
        return UUID(given)  # argparse says what is wrong with anything else


def command() -> int:
    """Serve, or do one thing and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m services.indexer", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    again = commands.add_parser("retell", help="fill the memory anew, without downtime")
    again.add_argument("--account", type=_account_id, help="acc_…; every account if not given")
    arguments = parser.parse_args()
    if arguments.command is None:
        run(main)
    try:
        generation = asyncio.run(retell(arguments.account))
    except (ValidationError, asyncpg.PostgresError, OSError) as error:
        print(f"indexer: {error}", file=sys.stderr)
        return 1
    print(f"sync is asked to tell everything again, as generation {generation}")
    return 0


if __name__ == "__main__":
    sys.exit(command())
