"""Sessions that are kept for an account's next message, so that not each one signs in."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.sender.smtp.session import Session
from services.sender.smtp.signing_in import Patience, Secret, sign_in
from shared.contracts.account import Endpoint
from shared.dial import Policy
from shared.telemetry import end

# Where a server is, whoever speaks with it.
Place = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where and as whom; newer settings of an account are another login."""

    account_id: UUID
    version: int
    endpoint: Endpoint

    @property
    def place(self) -> Place:
        return self.endpoint.host, self.endpoint.port


@dataclass(frozen=True, slots=True)
class _Idle:
    session: Session
    since: float


class Sessions:
    """The sessions of one process that nobody uses at the moment, and how many messages each
    server takes in one. Closing it says QUIT to all.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        patience: Patience,
        helo_name: str | None,
        idle_seconds: float,
        most_idle: int,
        most_idle_per_server: int,
        limits: Mapping[Place, int],
    ) -> None:
        self._policy = policy
        self._patience = patience
        self._helo_name = helo_name
        self._idle_seconds = idle_seconds
        self._most_idle = most_idle
        self._most_idle_per_server = most_idle_per_server
        self._limits = dict(limits)
        self._largest: dict[Place, int | None] = {}
        self._suspected: dict[Place, int] = {}
        self._idle: dict[Login, deque[_Idle]] = {}
        self._parting: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> int:
        return sum(len(kept) for kept in self._idle.values())

    async def take(self, login: Login, secret: Callable[[], Awaitable[Secret]]) -> Session:
        """A session that is ready for a message: a kept one if the server still knows it."""
        while kept := self._idle.get(login):
            session = kept.pop().session  # the one used last is the likeliest to be there
            if not kept:
                del self._idle[login]
            if session.is_open and await session.reset():
                return session
            session.drop()
        return await self.open(login, secret)

    async def open(self, login: Login, secret: Callable[[], Awaitable[Secret]]) -> Session:
        """A new session; raises a SubmitError."""
        return await sign_in(
            login.endpoint,
            await secret(),
            policy=self._policy,
            patience=self._patience,
            helo_name=self._helo_name,
        )

    def give_back(self, login: Login, session: Session) -> None:
        """Keep this for the account's next message, unless it is over or had its share."""
        if not session.is_open:
            session.drop()
        elif session.messages >= self._limits.get(login.place, session.messages + 1):
            self._part(session)
        else:
            now = asyncio.get_running_loop().time()
            self._idle.setdefault(login, deque()).append(_Idle(session, now))
            # A server has room for so many (Postfix: 100 in all). Those whom it keeps out for
            # sessions that nobody uses would wait for longer than a session takes to begin.
            here = [one for one in self._idle if one.place == login.place]
            if sum(len(self._idle[one]) for one in here) > self._most_idle_per_server:
                self._part_from_oldest(here)
            elif self.idle > self._most_idle:
                self._part_from_oldest(self._idle)

    def learn(self, login: Login, messages: int, *, named: bool) -> bool:
        """A session was ended after so many messages; whether that is known as a limit now.

        Where the server does not name it as one, it is believed when it comes at the same number
        again: a server that is stopped ends sessions, too.
        """
        before = self._suspected.get(login.place)
        self._suspected[login.place] = messages
        if not named and before != messages:
            return False
        self._limits[login.place] = messages
        return True

    def says_another_size(self, login: Login, largest: int | None) -> bool:
        """Whether the server takes larger or smaller messages than it was known to take."""
        known = self._largest.get(login.place)
        self._largest[login.place] = largest
        return known != largest

    def part_from_idle(self) -> None:
        """Leave the sessions that nobody used for a while: servers count connections."""
        until = asyncio.get_running_loop().time() - self._idle_seconds
        for login, kept in list(self._idle.items()):
            while kept and (kept[0].since <= until or not kept[0].session.is_open):
                self._part(kept.popleft().session)
            if not kept:
                del self._idle[login]

    async def close(self) -> None:
        """Leave all of them."""
        for kept in self._idle.values():
            for one in kept:
                self._part(one.session)
        self._idle.clear()
        if self._parting:
            await asyncio.wait(self._parting, timeout=self._patience.quit_seconds)
        await end(self._parting)

    def _part_from_oldest(self, logins: Iterable[Login]) -> None:
        login = min(logins, key=lambda login: self._idle[login][0].since)
        self._part(self._idle[login].popleft().session)
        if not self._idle[login]:
            del self._idle[login]

    def _part(self, session: Session) -> None:
        """Say QUIT, and let nobody wait for the answer."""
        parting = asyncio.create_task(session.quit())
        self._parting.add(parting)
        parting.add_done_callback(self._parting.discard)
