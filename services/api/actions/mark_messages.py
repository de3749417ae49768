"""Show messages where and as they now are."""

from collections.abc import Sequence
from uuid import UUID

from services.api.actions.projecting import project
from services.api.domain import logbook
from services.api.store import messages
from shared.contracts.mail import MessagesChanged
from shared.db import Pool


async def mark_messages(pool: Pool, pages: Sequence[MessagesChanged]) -> dict[UUID, int]:
    """Let these messages be marked and placed as told; returns how far logs grew."""
    return await project(pool, pages, messages.mark, logbook.of_changes)
