"""`python -m shared.db migrate`: bring the database to this release."""

import asyncio
import os
import sys

import asyncpg

from shared.contracts.catalogue import SERVICES
from shared.db.migrate import Login, MigrationError, migrate


def main() -> int:
    """Settings come from the environment: DATABASE_ADMIN_URL and the services' own addresses."""
    if sys.argv[1:] != ["migrate"]:
        print("usage: python -m shared.db migrate", file=sys.stderr)
        return 2
    try:
        admin = os.environ["DATABASE_ADMIN_URL"]
        logins = {
            service: (
                Login.of(os.environ[f"{service.upper()}_DATABASE_URL"]),
                Login.of(os.environ[f"{service.upper()}_REQUEST_DATABASE_URL"]),
            )
            for service in SERVICES
        }
        applied = asyncio.run(migrate(admin, logins))
    except KeyError as missing:
        print(f"migrate: {missing.args[0]} is not set", file=sys.stderr)
        return 2
    except (MigrationError, asyncpg.PostgresError, OSError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    print(f"migrate: {len(applied)} applied")
    return 0


if __name__ == "__main__":
    sys.exit(main())
