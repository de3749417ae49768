"""The database came out of a backup: what was due since may have been sent."""

from datetime import datetime

from services.sender import store
from services.sender.domain.submission import after_restore
from shared.bus import tell
from shared.db import Connection

_AT_A_TIME = 500


async def doubt_overtaken(connection: Connection, restored_at: datetime) -> None:
    """Hold what was due before the restore, as uncertain; what is due later goes when it is due."""
    while held := await store.hold_overtaken(connection, restored_at, _AT_A_TIME):
        doubted = [after_restore(one) for one in held]
        await store.put_states(connection, doubted)
        await tell(connection, *(one.told() for one in doubted))
