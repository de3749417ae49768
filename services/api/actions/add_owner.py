"""Make somebody the owner of a new tenant: how the first administrator comes to be."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.api.actions.hashing import Hashing
from services.api.domain.refusals import AddressTaken
from services.api.store import people, system_mail
from shared.db import Pool


async def add_owner(pool: Pool, hashing: Hashing, *, email: str, name: str, password: str) -> UUID:
    """The tenant, whose owner signs in with this password; raises AddressTaken."""
    hashed = await hashing.hashed(password)
    tenant_id, person_id = uuid7(), uuid7()
    try:
        async with pool.acquire() as connection, connection.transaction():
            await people.add_tenant(connection, tenant_id, name or email)
            await people.add_person(
                connection,
                tenant_id=tenant_id,
                person_id=person_id,
                email=email,
                name=name,
                password_hash=hashed,
                role="owner",
            )
            # Whoever runs this server knows whose address it is.
            await system_mail.verified(connection, person_id, datetime.now(UTC))
    except asyncpg.UniqueViolationError as error:
        if error.as_dict().get("constraint_name") == "person_has_one_address":
            raise AddressTaken from None
        raise
    return tenant_id
