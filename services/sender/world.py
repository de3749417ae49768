"""What every function of sender stands on."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.sender.actions.freeze_submission import Freezing
from services.sender.actions.room import Room
from services.sender.actions.taking import Due, Terms
from services.sender.actions.tokens import Tokens
from services.sender.domain.turns import Sender, Turns
from services.sender.settings import Settings
from shared.bus import Bus, Relay
from shared.db import Pool
from shared.seal import OpeningKeys


@dataclass(frozen=True, slots=True)
class World:
    """The open doors of one process."""

    settings: Settings
    bus: Bus
    pool: Pool
    request_pool: Pool
    relay: Relay
    keys: OpeningKeys
    tokens: Tokens
    # Under which what is due is taken in hand.
    terms: Terms
    room: Room[Due]
    # Where submissions that come together are frozen together.
    freezing: Freezing
    # Who has something due, as far as we were told or saw.
    turns: Turns = field(default_factory=Turns)
    # Set when something may have become due: a submission came, an attempt ended.
    due: asyncio.Event = field(default_factory=asyncio.Event)
    # Set when a message waits to be composed.
    letters: asyncio.Event = field(default_factory=asyncio.Event)

    def have_due(self, senders: Iterable[Sender]) -> None:
        """These accounts may have something due."""
        self.turns.add(senders)
        self.due.set()
