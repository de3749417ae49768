import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.dev import postgres

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_NAMESPACES = [sys.executable, str(Path(__file__).with_name("without_namespaces.py"))]
SERVE = """
import asyncio, os, sys
from pathlib import Path
import asyncpg
from infra.dev import postgres
from infra.dev.postgres import EmbeddedPostgres

async def main():
    os.umask(0o077)
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        connection = await asyncpg.connect(server.url)
        print(await connection.fetchval("SHOW data_directory"))
        print(Path(f"/proc/{server.pid}").stat().st_uid)
        await connection.close()

asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")


@pytest.fixture
def closed(tmp_path):
    """A directory that only root may enter, as the home of root is."""
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o700)
    yield directory
    assert directory.stat().st_mode & 0o777 == 0o700


def serve(data, *before):
    served = subprocess.run(
        [*before, sys.executable, "-c", SERVE, str(data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if served.returncode == 125:
        pytest.skip("this machine has no user namespaces to take away")
    assert served.returncode == 0, served.stderr
    directory, uid = served.stdout.split()
    return Path(directory), int(uid)


def test_root_keeps_the_database_below_a_directory_closed_to_others(closed):
    if postgres.place(closed) != closed:
        pytest.skip("this machine gives root no user namespace")
    directory, _ = serve(closed / "postgres")
    assert directory == closed / "postgres"


def test_root_without_namespaces_serves_the_database_as_nobody_from_var_lib(closed):
    directory, uid = serve(closed / "postgres", *WITHOUT_NAMESPACES)
    assert directory.is_relative_to("/var/lib/postbus")
    assert uid == postgres.NOBODY
    assert not directory.parent.exists()  # a server for a while leaves nothing
