"""`up`: start everything in the right order, stay, and end everything in the reverse order."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg

from infra.backup import recovery_key
from infra.dev import postgres, programs, ready, secrets, seed, web
from infra.dev.home import PORTS, ROOT, Home, Refused
from infra.dev.programs import Program
from infra.dev.progress import Progress
from infra.dev.secrets import Secrets
from infra.dev.supervision import UNREACHABLE, State, Supervisor, stop_all
from infra.own_database import own_database
from shared.bus.nats_config import nats_config
from shared.contracts.catalogue import SERVICES
from shared.telemetry import end

READY_SECONDS = 120.0
LOOK_SECONDS = 2.0


def up(home: Home) -> int:
    """Run the platform until a signal ends it; 0 when it served."""
    os.umask(0o077)
    show = Progress()
    home.make()
    home.hold()  # and never let go: who waits for it, waits until this process is gone
    if stop_all(home):
        show.say("Stopped what an earlier run had left behind.")
    _check_ports(home)
    home.started()
    try:
        return asyncio.run(_serve(home, show))
    finally:
        stop_all(home)  # finds nothing, unless the end was interrupted


async def _serve(home: Home, show: Progress) -> int:
    asked_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
    ending = asyncio.create_task(asked_to_end.wait())
    running = asyncio.create_task(_run(home, show))
    try:
        await asyncio.wait({ending, running}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return 0
    finally:
        await end([running])
        with show.step("Stopping"):
            await asyncio.to_thread(stop_all, home)


async def _run(home: Home, show: Progress) -> None:
    kept = secrets.make(home)
    _show_recovery_key(recovery_key.make(home.recovery_key), show)
    write_nats_config(home, kept)
    if not (postgres.place(home.database) / "PG_VERSION").exists():
        with show.step("Making the database"):
            await asyncio.to_thread(postgres.prepare, home.database, kept.passwords["postgres"])
    if home.webmail and not web.is_current():
        try:
            with show.step("Building the webmail"):
                await asyncio.to_thread(web.install)
                await asyncio.to_thread(web.build)
        except web.NotBuilt as error:
            show.say(f"There is no webmail this time, only the API. {error}")
    supervisor = Supervisor(home)
    supervised = supervisor.begin()  # not in a thread, which would go on when this is cancelled
    table = programs.table(home)
    servers = [program for program in table if program.group != "services"]
    services = [program for program in table if program.group == "services"]
    with show.step(f"Starting {_names(servers)}"):
        await _start(servers, home, kept, supervisor)
    with show.step("Bringing database and bus to this release"):
        await own_database(
            programs.superuser(home, kept),
            programs.administration(home, kept)["DATABASE_ADMIN_URL"],
            programs.backup(home, kept)["BACKUP_DATABASE_URL"],
        )
        await asyncio.gather(
            _deploy("shared.db", "migrate", home, kept),
            _deploy("shared.bus", "apply", home, kept),
        )
    with show.step(f"Starting {_names(services)}"):
        await _start(services, home, kept, supervisor)
    demo_login = False
    if home.demo:
        with show.step("Connecting the demo mailboxes"):
            demo_login = await asyncio.to_thread(seed.seed, home)
    show.say(f"Postbus is ready: {home.url}")
    if demo_login:
        show.say(f"  demo login: {seed.EMAIL}  password: {seed.PASSWORD}")
    show.say(f"  logs: {home.logs}  (Ctrl-C stops everything)")
    await _watch(supervised, supervisor, table, home, show)


def _show_recovery_key(private: str | None, show: Progress) -> None:
    """Whoever has the backups and not this key has nothing."""
    if private is not None:
        show.say("The recovery key opens every backup. It is shown this once; keep it elsewhere:")
        show.say(f"  {private}")


async def _watch(
    supervised: subprocess.Popen[bytes],
    supervisor: Supervisor,
    table: list[Program],
    home: Home,
    show: Progress,
) -> None:
    """Tell what dies and comes again; raise when supervisord itself is gone."""
    pids: dict[str, int] = {}
    while True:
        try:
            states = supervisor.states()
        except UNREACHABLE:
            if supervised.poll() is not None:
                raise Refused("supervisord died; everything it ran is ended.") from None
            states = {}
        for program in table:
            state = states.get(program.name)
            if state is None:
                continue
            if state.state == "FATAL":
                show.say(f"{program.name} does not stay up; trying again. {_log_of(program, home)}")
                supervisor.start(program)
            elif state.pid and pids.setdefault(program.name, state.pid) != state.pid:
                show.say(f"{program.name} died and was started again. {_log_of(program, home)}")
                pids[program.name] = state.pid
        await asyncio.sleep(LOOK_SECONDS)


async def _start(these: list[Program], home: Home, kept: Secrets, supervisor: Supervisor) -> None:
    for program in these:
        supervisor.start(program)
    await asyncio.gather(*(_until_ready(program, home, kept, supervisor) for program in these))


async def _until_ready(program: Program, home: Home, kept: Secrets, supervisor: Supervisor) -> None:
    waiting = asyncio.create_task(
        ready.until(lambda: program.fault(home, kept), READY_SECONDS), name=program.name
    )
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=0.5)
            state: State = supervisor.states()[program.name]
            if state.state == "FATAL":
                raise Refused(f"{program.name} does not start.\n{_last_words(program, home)}")
        waiting.result()
    except TimeoutError as late:
        raise Refused(
            f"{program.name} is not ready after {READY_SECONDS:.0f} s: {late}\n"
            f"{_last_words(program, home)}"
        ) from None
    except asyncpg.InvalidPasswordError as wrong:
        raise Refused(
            f"The database in {home.database} has another password than {home.secrets} says."
        ) from wrong
    finally:
        waiting.cancel()


async def _deploy(module: str, step: str, home: Home, kept: Secrets) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, step),
        cwd=ROOT,
        env=os.environ | programs.administration(home, kept),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    (home.logs / f"{step}.log").write_bytes(said)
    if process.returncode != 0:
        raise Refused(f"`python -m {module} {step}` failed.\n{said.decode(errors='replace')}")


def write_nats_config(home: Home, kept: Secrets) -> None:
    """Write what the bus is told: where it is, and who may say and hear what."""
    text = nats_config(
        host="127.0.0.1",
        port=home.port + programs.NATS,
        store=home.streams,
        passwords={"admin": kept.passwords["bus_admin"]}
        | {service: kept.passwords[f"{service}_bus"] for service in SERVICES},
        http_port=home.port + programs.NATS_MONITOR,
    )
    home.nats_config.write_text(text)


def _check_ports(home: Home) -> None:
    for program in programs.table(home):
        for port in program.ports:
            number = home.port + port
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", number))
                except OSError as error:
                    raise Refused(
                        f"Port {number} ({program.name}) cannot be had: {error.strerror}. "
                        f"Postbus takes {home.port} to {home.port + PORTS - 1}; "
                        "POSTBUS_PORT names another first port."
                    ) from None


def _names(these: list[Program]) -> str:
    return ", ".join(program.name for program in these)


def _log_of(program: Program, home: Home) -> str:
    return f"See {home.logs / program.name}.log"


def _last_words(program: Program, home: Home) -> str:
    path: Path = home.logs / f"{program.name}.log"
    said = path.read_text(errors="replace").splitlines()[-15:] if path.exists() else []
    return "\n".join([*said, _log_of(program, home)])
