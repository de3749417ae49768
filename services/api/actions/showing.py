"""What is shown is what sync told, and upon it what people want and is not settled yet."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec.structs import replace

from services.api.domain.changes import shown_after
from services.api.domain.told import Transition
from services.api.store import intents, messages
from shared.db import Connection

Transitions = Mapping[tuple[UUID, UUID], Transition]


async def overlay(
    connection: Connection,
    transitions: Transitions,
    also: Iterable[tuple[UUID, UUID]] = (),
) -> Transitions:
    """What became of these rows once what is wanted of them is shown again.

    `also`: messages that nothing was told of, of which more or less is wanted than before. The rows
    are held by the caller's transaction.
    """
    found = await intents.overlaid(
        connection, {**dict.fromkeys(transitions), **dict.fromkeys(also)}
    )
    if not found:
        return transitions
    await intents.put_told(connection, found)
    wanted = [
        (one.tenant_id, one.message_id, state)
        for one in found
        if (state := shown_after(one.changes, one.told)) != one.now
    ]
    became = dict(transitions)
    for key, moved in (await messages.show(connection, wanted)).items():
        before = became.get(key)
        became[key] = replace(moved, before=before.before) if before is not None else moved
    return became
