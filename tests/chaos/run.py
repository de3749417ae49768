"""A run of chaos: random acts of a second client, random faults, rest, and the proof.

Everything is drawn from the seed but time: the same seed does the same things, and what they meet
may differ. A failure says the seed, what was done, and what is wrong.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from tests.chaos import proof
from tests.chaos.life import Life
from tests.chaos.proof import Copy
from tests.chaos.replica import Replica
from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.servers.proxy import End, Proxy
from tests.stories.stack import Stack, running_stack, until
from tests.stories.walk import connection

#: Silence and pauses are short, so that a round does not consist of waiting.
HURRIED = {
    "SYNC_POLL_SECONDS": "2",
    "SYNC_COMPARE_SECONDS": "2",
    "SYNC_AUDIT_SECONDS": "5",
    "SYNC_HEARTBEAT_SECONDS": "0.5",
    "SYNC_LEASE_SECONDS": "3",
    "SYNC_RETRY_SECONDS": "0.5",
    "SYNC_RETRY_LONGEST_SECONDS": "3",
    "SYNC_COMMAND_SECONDS": "4",
}
VICTIMS = ("sync-listen", "nats", "postgres", "api", "indexer", "sync-answer")
#: The supervisor takes one that ends sooner for one that does not start, and gives up.
_STARTED_SECONDS = 6.0
_REST_SECONDS = 240.0  # a renumbered mailbox's messages are sought for two minutes of it
_GRACE_SECONDS = 180.0  # a message that goes so soon after its copy came may be one that moved
_LOG_LINES = 80  # of a run that failed

KNOWS_ALL = ""
NO_QRESYNC = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ UIDPLUS MOVE LIST-EXTENDED"
    " LIST-STATUS SPECIAL-USE ESEARCH CONDSTORE NAMESPACE CHILDREN UNSELECT"
)
KNOWS_LITTLE = "IMAP4rev1 LITERAL+ UIDPLUS MOVE UNSELECT"
KINDS = (KNOWS_ALL, NO_QRESYNC, KNOWS_LITTLE)


@dataclass
class Place:
    """One account: its server, the way there, who else works in it, and what we had of it."""

    dovecot: Dovecot
    proxy: Proxy
    life: Life
    account: str
    copy: Copy | None = None


@dataclass
class Chaos:
    """The platform with some accounts in bad weather."""

    seed: int
    stack: Stack
    person: httpx.AsyncClient
    places: list[Place]
    chance: random.Random
    say: Callable[[str], None]
    beside: Replica | None = None  # of sync
    trace: list[str] = field(default_factory=list[str])

    async def round(self, acts: int, faults: int) -> None:
        """Acts with faults among them, then rest, then the proof."""
        for place in self.places:
            place.life.removed = set()
        steps = ["act"] * acts + ["fault"] * faults
        self.chance.shuffle(steps)
        self._note(f"round of {acts} acts and {faults} faults")
        try:
            for step in steps:
                if step == "act":
                    await self._act()
                elif self.chance.random() < 0.5:
                    await self._fault()
                else:
                    await asyncio.gather(self._fault(), self._act())
                # Sync is to meet some of it in the middle, and some when it is over.
                await asyncio.sleep(self.chance.choice((0.0, 0.05, 0.2, 0.5)))
            if self.beside is not None and self.beside.hangs:
                self.beside.go_on()
            for place in self.places:
                await self._rest(place)
                await self._prove(place)
        except AssertionError as failure:
            raise AssertionError(
                f"seed {self.seed}\n"
                + "\n".join([*self.trace, "what sync logged at the end:", *self._logged()])
                + f"\n{failure}"
            ) from failure

    def _logged(self) -> list[str]:
        logs = (self.stack.home / "logs").glob("sync-[lb]*.log")  # listen, and beside
        return [
            line
            for log in sorted(logs)
            for line in log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        ]

    def _note(self, what: str) -> None:
        self.trace.append(f"{time.strftime('%H:%M:%S')} {what}")
        self.say(self.trace[-1])

    async def _act(self) -> None:
        place = self.chance.choice(self.places)
        self._note(await asyncio.to_thread(place.life.act))

    # -- faults ------------------------------------------------------------------------------

    async def _fault(self) -> None:
        place = self.chance.choice(self.places)
        faults: tuple[tuple[int, Callable[[Place], Awaitable[str]]], ...] = (
            (6, self._kill),
            (3, self._cut),
            (4, self._cut_later),
            (1, self._silence),
            (2, self._restart_server),
            (4 if self.beside else 0, self._hit_beside),
        )
        weights = [weight for weight, _ in faults]
        fault = self.chance.choices([each for _, each in faults], weights)[0]
        self._note(f"FAULT {await fault(place)}")

    async def _kill(self, place: Place) -> str:
        victim = self.chance.choice((*VICTIMS, "sync-listen", "postgres"))
        pid = self.stack.pids().get(victim)
        try:
            age = time.time() - psutil.Process(pid).create_time() if pid else 0.0
        except psutil.Error:
            age = 0.0
        if age < _STARTED_SECONDS:
            return f"{victim} has only just started; instead: {await self._cut(place)}"
        self.stack.kill(victim)
        return f"SIGKILL {victim}"

    async def _cut(self, place: Place) -> str:
        how = self.chance.choice(list(End))
        place.proxy.cut(how)
        return f"connections cut now, {how.value}"

    async def _cut_later(self, place: Place) -> str:
        how = self.chance.choice(list(End))
        count = int(10 ** self.chance.uniform(0, 5))
        place.proxy.cut_after(count, how)
        return f"connections cut after {count} bytes, {how.value}"

    async def _silence(self, place: Place) -> str:
        place.proxy.silence()
        return "connections fall silent"

    async def _restart_server(self, place: Place) -> str:
        def restart() -> str:
            if self.chance.random() < 0.7:
                place.dovecot.kill()
                how = "killed"
            else:
                place.dovecot.stop()
                how = "stopped"
            place.dovecot.start()
            return f"Dovecot {how} and started"

        return await asyncio.to_thread(restart)

    async def _hit_beside(self, _: Place) -> str:
        assert self.beside is not None
        if self.beside.hangs:
            self.beside.go_on()
            return "the replica that hangs goes on"
        if self.chance.random() < 0.6:
            self.beside.hang()
            return "a replica of sync hangs"
        await self.beside.kill()
        await self.beside.start()
        return "SIGKILL a replica of sync, and another is started"

    # -- rest and proof ----------------------------------------------------------------------

    async def _rest(self, place: Place) -> None:
        began = time.monotonic()
        left: dict[str, Any] = {}
        truth = await asyncio.to_thread(place.life.truth)

        async def still() -> bool:
            nonlocal left
            left = await proof.unrest(self.stack, truth, place.account)
            return not left

        try:
            await until("rest", still, seconds=_REST_SECONDS)
        except AssertionError:
            raise AssertionError(
                f"{place.life.user} came to no rest in {_REST_SECONDS:.0f} s:\n"
                + "\n".join(f"  {what}: {which}" for what, which in left.items())
            ) from None
        self._note(f"{place.life.user[:8]}: at rest after {time.monotonic() - began:.1f} s")

        async def serves() -> bool:
            # Also the indexer: it may have been killed when there was nothing left for it to do.
            try:
                answers = [
                    await self.person.get("/accounts"),
                    await self.person.get("/search", params={"q": "anything"}),
                ]
            except httpx.HTTPError:
                return False
            return all(answer.status_code == 200 for answer in answers)

        await until("gateway and search answer", serves)

    async def _prove(self, place: Place) -> None:
        truth = await asyncio.to_thread(place.life.truth)
        copy = await proof.take_copy(self.stack, truth, place.account)
        faults: list[str] = []
        if place.copy is not None:
            fresh = place.life.copied_since(time.monotonic() - _GRACE_SECONDS)
            faults += proof.moved_ids(place.copy, copy, fresh, place.life.removed)
        faults += await proof.unlike_listed(self.person, copy, place.account)
        faults += await proof.unlike_found(self.stack, self.person, copy, place.account)
        faults += await proof.unlike_proven(self.stack, self.person, copy, place.account)
        events = await proof.read_log(self.person, place.account)
        faults += proof.unlike_told(events, copy)
        if faults:
            told = [f"{one['occurred_at']} {one['type']} {one['data']}" for one in events]
            raise AssertionError(
                f"{place.life.user}:\n  "
                + "\n  ".join([*faults[:40], "told in the end:", *told[-_LOG_LINES:]])
            )
        place.copy = copy


@asynccontextmanager
async def chaos(
    seed: int,
    *,
    kinds: tuple[str, ...] = KINDS,
    replicas: int = 2,
    say: Callable[[str], None] = print,
) -> AsyncGenerator[Chaos]:
    """The platform with an account on a server of each of these kinds, at rest and proven."""
    say(f"chaos: seed {seed}")
    chance = random.Random(seed)
    async with AsyncExitStack() as doors:
        stack = await doors.enter_async_context(running_stack(None, **HURRIED))
        person = await doors.enter_async_context(stack.person())
        places: list[Place] = []
        for capability in kinds:
            directory = doors.enter_context(short_directory("postbus-chaos-"))
            dovecot = doors.enter_context(Dovecot(directory, capability=capability))
            proxy = await doors.enter_async_context(Proxy.to(dovecot.imap_port))
            life = Life(dovecot, dovecot.new_user(f"life{len(places)}"), chance)
            doors.callback(life.end)
            await asyncio.to_thread(life.begin)
            places.append(Place(dovecot, proxy, life, await _connect(person, life.user, proxy)))
        run = Chaos(seed, stack, person, places, chance, say)
        if replicas > 1:
            run.beside = await doors.enter_async_context(Replica.of(stack, HURRIED))
        await run.round(0, 0)
        yield run


async def _connect(person: httpx.AsyncClient, user: str, proxy: Proxy) -> str:
    answer = await person.post(
        "/accounts",
        json={
            "name": "Chaos",
            "email": user,
            "imap": connection(proxy.port, user),
            "smtp": connection(1, user),
        },
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]
