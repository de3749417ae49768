"""Show messages that came into our copy."""

from collections.abc import Sequence
from uuid import UUID

from services.api.actions.projecting import project
from services.api.domain import logbook
from services.api.store import messages
from shared.contracts.mail import MessagesSynced
from shared.db import Pool


async def keep_messages(pool: Pool, pages: Sequence[MessagesSynced]) -> dict[UUID, int]:
    """Let lists, counts and the log show these messages; returns how far logs grew."""
    return await project(pool, pages, messages.keep, logbook.of_arrivals)
