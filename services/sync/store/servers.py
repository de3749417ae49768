"""What an account's server turned out to be, and to do by itself."""

from uuid import UUID

import msgspec
from msgspec import Struct

from services.sync.domain.profile import Chosen, chosen_before
from services.sync.store.accounts import Account
from shared.contracts.standing import OwnProfile
from shared.db import Connection


class Learnt(Struct, frozen=True, kw_only=True):
    """What was learnt of a server; nothing, with other settings, or before the first sign-in."""

    chosen: Chosen
    server_name: str | None = None
    files_sent: bool | None = None  # what is sent comes to Sent by itself, as it turned out

    @property
    def files_by_itself(self) -> bool | None:
        """Whether what is sent comes to Sent by itself: as was said, seen, or is known."""
        if self.chosen.own.files_sent is None and self.files_sent is not None:
            return self.files_sent
        return self.chosen.profile.files_sent


async def learnt(connection: Connection, account_id: UUID, host: str, version: int) -> Learnt:
    """What is known of an account's server."""
    row = await connection.fetchrow(
        """
        SELECT own_profile, provider, chosen_by, server_name, files_sent
          FROM account LEFT JOIN account_server
               ON account_server.account_id = account.account_id AND settings_version = $2
         WHERE account.account_id = $1
        """,
        account_id,
        version,
    )
    if row is None:
        return Learnt(chosen=chosen_before(host, None, None))
    own = msgspec.json.decode(row["own_profile"], type=OwnProfile)
    return Learnt(
        chosen=chosen_before(host, row["provider"], row["chosen_by"]).by(own),
        server_name=row["server_name"],
        files_sent=row["files_sent"],
    )


async def say(
    connection: Connection, account_id: UUID, tenant_id: UUID, version: int, own: OwnProfile
) -> bool:
    """Go by this from now on; False when a newer word, or the account's removal, came before."""
    said = await connection.fetchval(
        """
        UPDATE account SET own_profile = $4, own_profile_version = $3
         WHERE account_id = $1 AND tenant_id = $2 AND own_profile_version < $3
           AND removed_at IS NULL
        RETURNING true
        """,
        account_id,
        tenant_id,
        version,
        msgspec.json.encode(own).decode(),
    )
    return bool(said)


async def said_of(connection: Connection, account_id: UUID) -> OwnProfile:
    """What somebody said of the account's servers."""
    said = await connection.fetchval(
        "SELECT own_profile FROM account WHERE account_id = $1", account_id
    )
    return OwnProfile() if said is None else msgspec.json.decode(said, type=OwnProfile)


async def note_server(
    connection: Connection, account: Account, chosen: Chosen, server_name: str | None
) -> None:
    """The server let us in, and said who it is. Of another one than before, nothing is known."""
    await connection.execute(
        """
        INSERT INTO account_server AS known
               (account_id, tenant_id, settings_version, provider, chosen_by, server_name)
        SELECT $1, $2, $3, $4, $5, $6
          FROM account WHERE account_id = $1 AND removed_at IS NULL
        ON CONFLICT (account_id) DO UPDATE
           SET settings_version = excluded.settings_version, provider = excluded.provider,
               chosen_by = excluded.chosen_by, server_name = excluded.server_name,
               files_sent = CASE WHEN known.settings_version = excluded.settings_version
                                 THEN known.files_sent END
         WHERE known.settings_version < excluded.settings_version
            OR (known.settings_version = excluded.settings_version
                AND (known.provider, known.chosen_by, known.server_name)
                    IS DISTINCT FROM (excluded.provider, excluded.chosen_by, excluded.server_name))
        """,
        account.account_id,
        account.tenant_id,
        account.version,
        None if chosen.provider is None else chosen.provider.name,
        chosen.why,
        server_name,
    )


async def note_filing(connection: Connection, account: Account, *, files_sent: bool) -> None:
    """A message that was sent was found in Sent without our doing, or waited for in vain."""
    await connection.execute(
        """
        UPDATE account_server SET files_sent = $3
         WHERE account_id = $1 AND settings_version = $2 AND files_sent IS DISTINCT FROM $3
        """,
        account.account_id,
        account.version,
        files_sent,
    )
