"""`python -m services.sync`: the listen or the answer role, as SYNC_ROLE says.

With `rethread [ACCOUNT]`: have the threads of an account, or of all, made anew. With
`audit [ACCOUNT]`: have every mailbox compared with its server, and say what came of it.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.sync.app import audit, main, rethread
from services.sync.store.audits import Verdict
from shared.contracts.ids import Kind, NotAnId, read, shown
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
    compare = commands.add_parser("audit", help="compare every mailbox with its server now")
    for one in (anew, compare):
        one.add_argument(
            "account", nargs="?", type=_account_id, help="acc_…; every account if not given"
        )
    compare.add_argument("--seconds", type=float, default=60.0, help="how long to wait (60)")
    arguments = parser.parse_args()
    if arguments.command is None:
        run(main)
    try:
        if arguments.command == "audit":
            return _tell(*asyncio.run(audit(arguments.account, arguments.seconds)))
        accounts = asyncio.run(rethread(arguments.account))
    except (ValidationError, asyncpg.PostgresError, OSError) as error:
        print(f"{arguments.command}: {error}", file=sys.stderr)
        return 1
    if arguments.account is not None and not accounts:
        print("rethread: there is no such account", file=sys.stderr)
        return 1
    print(f"rethread: the threads of {accounts} accounts are made anew by those who keep them")
    return 0


def _tell(found: Sequence[Verdict], asked_at: datetime) -> int:
    """A line for each mailbox; 0 when all of them are proven, 1 when not."""
    for one in found:
        if not one.is_since(asked_at):
            verdict = "NOT COMPARED: " + ("paused" if one.paused else "its server did not answer")
        elif one.lacking:
            verdict = f"NOT PROVEN: {one.lacking:+,}"
        else:
            verdict = "proven"
        print(
            f"{shown(Kind.ACCOUNT, one.account_id)}  {one.path!r}: {one.server:,} on the server,"
            f" {one.kept:,} kept, {one.quarantined:,} quarantined: {verdict}"
        )
    unproven = sum(not one.is_since(asked_at) or one.lacking != 0 for one in found)
    print(f"audit: {len(found) - unproven} of {len(found)} mailboxes are proven")
    return 1 if unproven or not found else 0


if __name__ == "__main__":
    sys.exit(command())
