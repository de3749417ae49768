"""What every way to sign in begins with: an address and a password that belong together."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from uuid import UUID

from services.api.actions.hashing import Hashing
from services.api.actions.sessions import signed_in
from services.api.domain import passwords
from services.api.domain.letters import Letter
from services.api.domain.refusals import SignInRefused
from services.api.store import audit_log, people, places, system_mail
from services.api.store.audit_log import AuditEntry
from services.api.store.people import Client, Person
from shared.db import Connection, Pool

_NOBODYS = UUID(int=0)


async def prove_password(
    pool: Pool,
    hashing: Hashing,
    *,
    email: str,
    password: str,
    tenant_id: UUID | None,
    rather: UUID | None,
    client: Client,
) -> tuple[Person, str | None]:
    """Who this is, and their password hashed anew where it was hashed by weaker rules.

    Raises SignInRefused, which says neither what was wrong nor, by its time, who is registered.
    """
    async with pool.acquire() as connection:
        person = await people.person_with(connection, email, tenant_id, rather)
    kept = person.password_hash if person else passwords.NOBODY
    # Checked also when there is nobody, and without holding a connection meanwhile.
    right = await hashing.matches(kept, password)
    if person is None or not right:
        now = datetime.now(UTC)
        # Where nobody has the address, too, and as much: the operator's to see, and nobody's.
        refused = (
            signed_in(person, client, now, "session.refused")
            if person
            else AuditEntry(
                tenant_id=_NOBODYS,
                occurred_at=now,
                action="session.refused",
                address=client.address,
                details={"client": client.name},
            )
        )
        async with pool.acquire() as connection:
            await audit_log.note(connection, refused)
        raise SignInRefused
    outdated = passwords.is_outdated(kept)
    return person, await hashing.hashed(password) if outdated else None


async def note_place(
    connection: Connection, person_id: UUID, client: Client, now: datetime, *, tell: bool
) -> None:
    """Remember from where somebody signed in; write to them where that is new.

    Where they come from first is where they registered, or were invited to.
    """
    network = network_of(client.address)
    if network is None or not await places.note(connection, person_id, network, now) or not tell:
        return
    details = {
        "at": f"{now:%Y-%m-%d %H:%M} UTC",
        "address": client.address,
        "client": client.name or "a program that does not say what it is",
    }
    await system_mail.ask(connection, Letter.NEW_PLACE, person_id=person_id, details=details)


def network_of(address: str) -> str | None:
    """The place that an address stands for: what one provider hands out next to it."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        found = mapped
    return str(ip_network((found, 24 if found.version == 4 else 48), strict=False))
