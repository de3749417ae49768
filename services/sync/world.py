"""What every function of sync stands on."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from services.sync.actions.refreshing import Refresher
from services.sync.actions.understanding import Readers
from services.sync.called import Calls
from services.sync.domain.followed import Followed
from services.sync.settings import Settings
from services.sync.store.whereabouts import Whereabouts
from shared.bus import Bus, Relay
from shared.contracts.attachment import PartAnswer
from shared.db import Pool
from shared.seal import OpeningKeys, SealingKeys


class Bringing(Protocol):
    """Who brings parts of messages into the bucket."""

    async def bring(self, where: Whereabouts, part: int, piece: int | None) -> PartAnswer:
        """See to it that a piece of this part, None: all of it, is in the bucket."""
        ...

    async def forget(self, account_id: UUID) -> None:
        """Keep nothing of this account in the bucket; raises BucketAway."""
        ...

    def spare(self, account_id: UUID) -> None:
        """Another replica wants the account's connection: hang up when it is of no use."""
        ...

    async def close(self) -> None:
        """Hang up everywhere."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """The open doors of one process."""

    settings: Settings
    bus: Bus
    pool: Pool
    request_pool: Pool
    relay: Relay
    keys: OpeningKeys
    refresher: Refresher
    sender_keys: SealingKeys | None  # None: no tokens for sender
    replica_id: UUID
    release: str  # of this software: what another one could not read is tried again
    readers: Readers
    bringing: Bringing
    first_copies: asyncio.Semaphore  # a place for each first copy that is made at the same time
    followed: Followed = field(default_factory=Followed)
    calls: Calls = field(default_factory=Calls)  # of the accounts that are kept here
    # Accounts whose only connection another process waits for.
    to_lend: set[UUID] = field(default_factory=set[UUID])
    # Set when a command changed which accounts there are, or asked for a retelling or a filing.
    accounts_changed: asyncio.Event = field(default_factory=asyncio.Event)
    retelling_asked: asyncio.Event = field(default_factory=asyncio.Event)
    copy_asked: asyncio.Event = field(default_factory=asyncio.Event)
    removed: asyncio.Event = field(default_factory=asyncio.Event)
    consents_left: asyncio.Event = field(default_factory=asyncio.Event)
