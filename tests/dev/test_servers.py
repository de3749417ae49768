import asyncpg
import nats
import pytest

from infra.dev.nats import EmbeddedNats
from infra.dev.postgres import EmbeddedPostgres
from infra.dev.process import ServerEnded, free_port


@pytest.fixture(scope="module")
async def database(tmp_path_factory):
    directory = tmp_path_factory.mktemp("a home with spaces")
    async with EmbeddedPostgres(directory / "postgres") as server:
        yield server


async def test_the_embedded_database_is_postgresql_18_and_syncs_its_commits(database):
    connection = await asyncpg.connect(database.url)
    assert (await connection.fetchval("SHOW server_version")).startswith("18")
    assert await connection.fetchval("SHOW fsync") == "on"
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
    await connection.close()


async def test_the_embedded_database_asks_for_its_password(database):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database.url.replace(":postgres@", ":guessed@"))


async def test_a_committed_row_survives_the_database_being_killed(database):
    connection = await asyncpg.connect(database.url)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    await database.kill()
    await database.start()
    connection = await asyncpg.connect(database.url)
    assert await connection.fetchval("SELECT one FROM kept") == 1
    await connection.close()


async def test_a_stopped_database_leaves_no_pid_file_and_starts_again(database):
    await database.stop()
    assert not list(database.data.glob("postmaster.pid"))
    await database.start()


async def test_a_second_database_on_the_same_data_says_why_it_does_not_start(database):
    with pytest.raises(ServerEnded, match=r"postmaster\.pid"):
        await EmbeddedPostgres(database.data).start()


async def test_the_embedded_bus_keeps_what_was_acked_when_it_is_killed(tmp_path):
    port = free_port()
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{tmp_path / "store"}", sync_interval: always }}\n'
    )
    async with EmbeddedNats(config, port) as server:
        client = await nats.connect(server.url)
        await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
        await client.jetstream().publish("kept", b"one")
        await server.kill()
        await server.start()
        await client.close()
        client = await nats.connect(server.url)
        assert (await client.jetstream().get_msg("KEPT", 1)).data == b"one"
        await client.close()
