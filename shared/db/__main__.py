"""`python -m shared.db migrate`: bring the database to this release.

`restored`: say that it came out of a backup that something else brought back, a provider's
snapshot for instance, before any service is started on it.
"""

import asyncio
import os
import sys

import asyncpg

from shared.contracts.catalogue import SERVICES
from shared.db.migrate import Login, MigrationError, migrate, note_restoration
from shared.telemetry.secret_files import SecretFileUnreadable, secret, with_password


def main() -> int:
    """Settings come from the environment: DATABASE_ADMIN_URL and the services' own addresses.

    Passwords may be beside an address (`API_DATABASE_PASSWORD`), or in files (`…_PASSWORD_FILE`).
    """
    if sys.argv[1:] not in (["migrate"], ["restored"]):
        print("usage: python -m shared.db migrate | restored", file=sys.stderr)
        return 2
    try:
        admin = address("DATABASE_ADMIN")
        logins = {
            service: (
                Login.of(address(f"{service.upper()}_DATABASE")),
                Login.of(address(f"{service.upper()}_REQUEST_DATABASE")),
            )
            for service in SERVICES
        }
        if sys.argv[1] == "restored":
            asyncio.run(note_restoration(admin, SERVICES))
            print("restored: noted; each service settles it when it starts")
            return 0
        applied = asyncio.run(migrate(admin, logins))
    except KeyError as missing:
        print(f"migrate: {missing.args[0]} is not set", file=sys.stderr)
        return 2
    except (SecretFileUnreadable, MigrationError, asyncpg.PostgresError, OSError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    print(f"migrate: {len(applied)} applied")
    return 0


def address(use: str) -> str:
    """The database's address for a use, with its password."""
    return with_password(os.environ[f"{use}_URL"], secret(f"{use}_PASSWORD"))


if __name__ == "__main__":
    sys.exit(main())
