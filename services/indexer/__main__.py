"""`python -m services.indexer`: the memory; or, with a command, fill it anew.

`reindex` makes words anew from what is kept here; `retell` asks sync to tell everything again.
"""

import argparse
import asyncio
import sys
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.indexer.app import main, reindex, retell
from shared.contracts.ids import Kind, NotAnId, read
from shared.telemetry import run


def _account_id(given: str) -> UUID:
    try:
        return read(Kind.ACCOUNT, given)
    except NotAnId:
        return UUID(given)  # argparse says what is wrong with anything else


def _tenant_id(given: str) -> UUID:
    try:
        return read(Kind.TENANT, given)
    except NotAnId:
        return UUID(given)


def _reindex(arguments: argparse.Namespace) -> int:
    def say(line: str) -> None:
        print(line, flush=True)

    try:
        if not asyncio.run(reindex(arguments.account, arguments.tenant, say)):
            print("indexer: there is no such account here", file=sys.stderr)
            return 1
    except KeyboardInterrupt:
        say("it goes on without being watched")
    return 0


def command() -> int:
    """Serve, or do one thing and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m services.indexer", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    again = commands.add_parser("retell", help="fill the memory anew, without downtime")
    again.add_argument("--account", type=_account_id, help="acc_…; every account if not given")
    anew = commands.add_parser(
        "reindex", help="make words anew from what is kept, without downtime"
    )
    whose = anew.add_mutually_exclusive_group()
    whose.add_argument("--account", type=_account_id, help="acc_…; every account if not given")
    whose.add_argument("--tenant", type=_tenant_id, help="ten_…: all accounts of a tenant")
    arguments = parser.parse_args()
    if arguments.command is None:
        run(main)
    try:
        if arguments.command == "reindex":
            return _reindex(arguments)
        generation = asyncio.run(retell(arguments.account))
    except (ValidationError, asyncpg.PostgresError, OSError) as error:
        print(f"indexer: {error}", file=sys.stderr)
        return 1
    print(f"sync is asked to tell everything again, as generation {generation}")
    return 0


if __name__ == "__main__":
    sys.exit(command())
