"""An owner pauses an account, lets it go on, and wants a look now: with a real server."""

from collections.abc import Iterator

import pytest

from shared.contracts.account import ConnectSync
from shared.contracts.standing import CheckSync, PauseSync, ResumeSync
from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.test_copy import a_message, some_messages

# Nothing is found by waiting: whoever looks does so because it was told to.
PATIENT = {"poll_seconds": 3600.0, "heartbeat_seconds": 600.0, "lease_seconds": 6000.0}


@pytest.fixture
def deaf(dovecot: Dovecot) -> Iterator[Dovecot]:
    """A server that never speaks unless it is asked."""
    with (
        short_directory("postbus-deaf-") as directory,
        Dovecot(directory, capability="IMAP4rev1 UIDPLUS ESEARCH") as server,
    ):
        yield server


def about(command: ConnectSync, kind: type, **more: int) -> PauseSync | ResumeSync | CheckSync:
    return kind(tenant_id=command.tenant_id, account_id=command.account_id, **more)


async def sessions_end(dovecot: Dovecot, user: str) -> None:
    async def none() -> bool:
        return user not in dovecot.doveadm("who", user)

    await until(f"{user} has no session", none)


async def test_a_paused_accounts_server_is_left_alone_until_it_goes_on(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "INBOX", some_messages(3))
    async with sync.running(**PATIENT):
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        await sync.until_listed(3)
        assert user in dovecot.doveadm("who", user)
        await sync.command(about(account, PauseSync, version=1))
        paused = await sync.until_state("paused")
        assert paused.reason == "paused_by_owner"
        await sessions_end(dovecot, user)
        dovecot.append(user, "INBOX", [a_message("Meanwhile")])
    async with sync.running(**PATIENT):
        # Also not by a process that begins anew, and not because somebody wants a look.
        await sync.command(about(account, CheckSync))
        async with sync.platform.admin_bus() as bus:

            async def obeyed() -> bool:
                return (await bus.jetstream().stream_info("SYNC")).state.messages == 0

            await until("the command was obeyed", obeyed)
        assert user not in dovecot.doveadm("who", user)
        await sync.command(about(account, ResumeSync, version=2))
        await sync.until_listed(4)
        await sync.until_state("live")


async def test_a_look_finds_what_nobody_was_told_of_whichever_replica_is_asked(
    sync: Sync, deaf: Dovecot
) -> None:
    user = deaf.new_user()
    deaf.append(user, "INBOX", some_messages(2))
    async with sync.running(**PATIENT), sync.running(**PATIENT):
        account = await sync.connect(user, deaf)
        await sync.until_state("live")
        await sync.until_listed(2)
        for count in range(3, 7):
            deaf.append(user, "INBOX", [a_message(f"Unheard {count}")])
            await sync.command(about(account, CheckSync))
            await sync.until_listed(count)


async def test_a_look_does_not_wait_for_the_next_try_of_a_refused_password(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sync.running(**PATIENT):
        account = await sync.connect(user, dovecot, password="wrong")
        await sync.until_state("auth_failed")

        async def failures() -> int:
            return await sync.database.fetchval("SELECT failures FROM account_rest") or 0

        async def tried_again() -> bool:
            return await failures() == 2

        assert await failures() == 1
        await sync.command(about(account, CheckSync))
        await until("the password was tried again", tried_again)
