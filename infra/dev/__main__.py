"""`python -m infra.dev up | down | status | restore … | reset | web check | run … | launch …`."""

import os
import sys

from infra.dev.home import ROOT, Home, Refused
from infra.dev.nats import NatsMissing
from infra.dev.postgres import PostgresRefused
from infra.dev.web import NotBuilt

USAGE = "usage: python -m infra.dev up | down | status | health | startup-check | reset | run …"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["up"]:
            from infra.dev.up import up

            return up(Home.of_environment())
        case ["down"]:
            from infra.dev.status import down

            return down(Home.of_environment())
        case ["status"]:
            from infra.dev.status import status

            return status(Home.of_environment())
        case ["health"]:
            from infra.dev.health import health

            return health(Home.of_environment())
        case ["startup-check"]:
            from infra.dev.startup_check import startup_check

            return startup_check(Home.of_environment())
        case ["restore", *rest]:
            from infra.dev.restore import restore

            return restore(Home.of_environment(), rest)
        case ["reset", *rest]:
            from infra.dev.reset import reset

            return reset(Home.of_environment(), rest)
        case ["web", "check"]:
            from infra.dev import web

            web.install()
            web.check()
            return 0
        case ["run", module, *rest]:
            _run(Home.of_environment(), module, rest)
        case ["launch", name]:
            _launch(Home.of_environment(), name)
        case _:
            print(USAGE, file=sys.stderr)
    return 2


def _run(home: Home, module: str, rest: list[str]) -> None:
    """Become an administrator's command on the platform here, or on the one the caller names."""
    from infra.dev import programs, secrets

    told: dict[str, str] = {}
    if not {"DATABASE_ADMIN_URL", "BUS_ADMIN_URL"} & os.environ.keys():
        home = home.as_started()
        told = programs.administration(home, secrets.read(home))
    os.chdir(ROOT)
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", module, *rest], os.environ | told
    )


def _launch(home: Home, name: str) -> None:
    """Become one of the supervised processes: supervisord's own configuration holds no secret."""
    from infra.dev import programs, secrets

    program = next(program for program in programs.TABLE if program.name == name)
    command = program.command(home)
    told = program.environment(home, secrets.read(home))
    os.chdir(ROOT)
    os.execvpe(command[0], command, os.environ | told)  # noqa: S606


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refused, PostgresRefused, NatsMissing, NotBuilt) as refused:
        print(f"postbus: {refused}", file=sys.stderr)
        sys.exit(1)
