"""`reset`: forget the platform that was here, for a new beginning; its backups stay."""

import shutil
import sys

from infra.dev import postgres
from infra.dev.home import Home, Refused


def reset(home: Home, words: list[str]) -> int:
    """Remove everything but backups and the recovery key; refused while the platform runs."""
    if words not in ([], ["--yes"]):
        raise Refused("usage: reset [--yes]")
    home.make()
    with home.held():
        if words != ["--yes"]:
            _ask(home)
        postgres.remove(home.database)
        for path in (home.streams, home.demo_mail, home.secrets, home.logs):
            shutil.rmtree(path, ignore_errors=True)
    print(f"{home.path} is as before the first `./just up`; backups and the recovery key stayed.")
    return 0


def _ask(home: Home) -> None:
    if not sys.stdin.isatty():
        raise Refused("Everything in it would be gone: say so with --yes.")
    print(f"All mail accounts, copies and passwords in {home.path} will be gone.")
    if input("Type `reset` to go on: ").strip() != "reset":
        raise Refused("Nothing was removed.")
