"""`python -m infra.backup`: make backups on a schedule; or, with a command, one thing now."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from infra.backup import recovery_key, sets
from infra.backup.base import BaseFailed
from infra.backup.restore import NotRestored
from infra.backup.schedule import main as make_sets
from infra.backup.sealed import Key, NotOpened
from infra.backup.settings import Settings
from infra.backup.take import Busy, NoRecoveryKey, prune, take, verify
from infra.backup.volumes import restore_volumes
from shared.telemetry import run


def command() -> int:
    """What the words after the module's name ask for."""
    parser = argparse.ArgumentParser(prog="python -m infra.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("now", help="make a set, verify it, and let old ones go")
    commands.add_parser("list", help="show the sets that are there")
    checked = commands.add_parser("verify", help="open a set and read all of it")
    checked.add_argument("set", nargs="?", default="latest")
    checked.add_argument("--key", required=True, help="a file with the recovery key; - is stdin")
    back = commands.add_parser("restore-volumes", help="bring a set back to the stack's volumes")
    back.add_argument("set", nargs="?", default="latest")
    back.add_argument("--to", type=_moment, help="a moment: 2026-11-22T14:30:00Z")
    back.add_argument("--replace", action="store_true", help="put aside the database that is there")
    new = commands.add_parser("recovery-key", help="make the recovery key, and show it once")
    new.add_argument("file", type=Path, nargs="?")
    arguments = parser.parse_args()
    if arguments.command is None:
        return run(make_sets)
    if arguments.command == "recovery-key":
        return _recovery_key(arguments.file or Path(os.environ["BACKUP_RECOVERY_KEY_FILE"]))
    try:
        _do(arguments, Settings())  # pyright: ignore[reportCallIssue] - from the environment
    except ValidationError as error:
        wrong = ", ".join(f"BACKUP_{one['loc'][0]}".upper() for one in error.errors())
        print(f"backup: not set, or not as it must be: {wrong}", file=sys.stderr)
        return 2
    except (
        *(BaseFailed, sets.BadSet, NotOpened, NotRestored, NoRecoveryKey, Busy),
        OSError,
    ) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


def _do(arguments: argparse.Namespace, settings: Settings) -> None:
    match arguments.command:
        case "now":
            made = take(settings)
            prune(settings, datetime.now(UTC))
            print(
                f"backup: {made.name}, {made.size_bytes:,} bytes in {made.seconds:.1f} s, verified;"
                f" in {settings.dir}"
            )
        case "verify":
            place = sets.chosen(settings.dir, arguments.set)
            manifest = sets.manifest_of(place)
            sets.check_files(place, manifest)
            checked = verify(place, manifest.files, _key(arguments.key))
            print(f"backup: {place.name} is whole, {checked.files} files of the database")
        case "restore-volumes":
            came = restore_volumes(
                settings.dir, arguments.set, _key("-"), to=arguments.to, replace=arguments.replace
            )
            last = came.last_commit or "the set itself"
            print(f"backup: {came.name} is back in {came.seconds:.1f} s, up to {last}")
        case _:
            for name, manifest in sets.whole(settings.dir).items():
                print(
                    f"{name}  {manifest.size_bytes:>15,} bytes  {manifest.seconds:>7.1f} s"
                    f"  release {manifest.release}"
                )


def _key(file: str) -> Key:
    return Key.read(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _recovery_key(file: Path) -> int:
    private = recovery_key.make(file)
    if private is None:
        print(f"recovery-key: there is one already; its public half is in {file}", file=sys.stderr)
        return 0
    print("The recovery key. It opens every backup and is shown this once: keep it elsewhere.")
    print(private)
    return 0


if __name__ == "__main__":
    sys.exit(command())
