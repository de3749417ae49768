"""Show no more what is gone from the server."""

from collections.abc import Sequence
from uuid import UUID

from services.api.actions.projecting import project
from services.api.domain import logbook
from services.api.store import messages
from shared.contracts.mail import MessagesVanished
from shared.db import Pool


async def bury_messages(pool: Pool, pages: Sequence[MessagesVanished]) -> dict[UUID, int]:
    """Leave tombstones for these messages; returns how far logs grew."""
    return await project(pool, pages, messages.bury, logbook.of_vanished)
