"""`restore`: a platform on one machine, back from a backup; `--drill`: only try it, beside."""

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Generator
from datetime import datetime
from pathlib import Path

from infra.backup import sets
from infra.backup.restore import NotRestored, Restored, restore_cluster, restore_directory
from infra.backup.sealed import Key, NotOpened
from infra.backup.sets import BadSet
from infra.dev import postgres
from infra.dev.home import Home, Refused
from infra.dev.progress import Progress


def restore(home: Home, arguments: list[str]) -> int:
    """Restore into a home that has no database; 0 when `up` may be run."""
    given = _parser(home).parse_args(arguments)
    try:
        key = Key.read(sys.stdin.read() if given.key == "-" else Path(given.key).read_text("utf-8"))
        if given.drill:
            return _drill(given, key)
        home.make()
        with home.held():
            return _restore(home, given, key)
    except (BadSet, NotOpened, NotRestored, OSError) as error:
        raise Refused(str(error)) from error


def _parser(home: Home) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./just restore", description=__doc__)
    parser.add_argument("set", nargs="?", default="latest", help="which; the newest if not given")
    parser.add_argument("--from", dest="directory", type=Path, default=home.backup_directory)
    parser.add_argument("--key", required=True, help="a file with the recovery key; - is stdin")
    parser.add_argument(
        "--to", type=_moment, help="a moment (2026-11-22T14:30:00Z); as far as it goes if not given"
    )
    parser.add_argument(
        "--replace", action="store_true", help="put aside the database that is there"
    )
    parser.add_argument("--drill", action="store_true", help="try it beside, and throw it away")
    return parser


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    return moment.astimezone() if moment.tzinfo is None else moment


def _restore(home: Home, given: argparse.Namespace, key: Key) -> int:
    show = Progress()
    aside = sets.name_of(datetime.now().astimezone())
    cluster = postgres.place(home.database)
    if cluster.exists():
        if not given.replace:
            raise Refused(
                f"There is a database in {cluster}. A backup comes back to an empty home "
                "(POSTBUS_HOME), or with --replace, which puts aside what is there."
            )
        cluster.rename(cluster.with_name(f"{cluster.name}.before-{aside}"))
    with show.step("Bringing back the database"):
        came = restore_cluster(given.directory, given.set, key, cluster, to=given.to)
    with show.step("Bringing back keys and passwords"):
        if any(home.secrets.iterdir()):
            home.secrets.rename(home.secrets.with_name(f"secrets.before-{aside}"))
        restore_directory(given.directory, came.name, key, "keys", home.secrets)
        if not home.recovery_key.exists():
            home.recovery_key.write_text(key.public + "\n", "utf-8")
    if not home.demo_mail.exists():
        restore_directory(given.directory, came.name, key, "mail", home.demo_mail)
    # What was on the bus is not what was in the database: it is told again.
    shutil.rmtree(home.streams, ignore_errors=True)
    show.say(f"Restored {_described(came)}. `./just up` starts it;")
    show.say("what was due to be sent since the backup is held as uncertain, and mail that came")
    show.say("meanwhile is read.")
    return 0


def _drill(given: argparse.Namespace, key: Key) -> int:
    show = Progress()
    with _beside() as directory:
        with show.step("Bringing back the database, beside"):
            came = restore_cluster(
                given.directory, given.set, key, postgres.place(directory / "postgres"), to=given.to
            )
        with show.step("Reading every page of it"):
            postgres.check_pages(directory / "postgres")
        for what in ("keys", "configuration", "mail"):
            if restore_directory(given.directory, came.name, key, what, directory / what):
                show.say(f"  {what}: whole")
    show.say(f"The backup comes back: {_described(came)}.")
    return 0


def _described(came: Restored) -> str:
    last = came.last_commit or "the set itself: there was nothing after it"
    return f"{came.name} in {came.seconds:.1f} s, up to {last}"


@contextlib.contextmanager
def _beside() -> Generator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="postbus-drill-"))
    try:
        yield directory
    finally:
        postgres.remove(directory / "postgres")
        shutil.rmtree(directory, ignore_errors=True)
