"""Let go of what was uploaded and is not used."""

from datetime import UTC, datetime, timedelta

from services.api.store import uploads
from shared.db import Pool

_AT_A_TIME = 20  # some may be large


async def forget_uploads(pool: Pool, keep: timedelta) -> None:
    """Forget uploads that nothing has used for so long."""
    before = datetime.now(UTC) - keep
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await uploads.forget_unused(connection, before, _AT_A_TIME) < _AT_A_TIME:
                return
