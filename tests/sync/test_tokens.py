"""Accounts that sign in by OAuth2: one consent, one refresher, and no token lost on the way."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.sync.actions.refreshing import Issued, Refresher
from services.sync.actions.remove_account import remove_account
from services.sync.actions.revoke_consents import revoke_consents
from services.sync.domain.tokens import GrantEnded, ProviderAway
from services.sync.settings import Settings
from shared.contracts.account import AccountChanged, ConnectSync, RemoveSync
from shared.contracts.envelope import Caller
from shared.contracts.oauth import IssueToken, TokenAnswer
from shared.seal import Mismatch, OpeningKeys, new_key, open_sealed, publish
from shared.seal.credential import Destination
from tests.servers.dovecot import Dovecot
from tests.servers.provider import Provider
from tests.stories.stack import until
from tests.sync.conftest import Sync
from tests.sync.consents import connect_by_consent, listed, redeem
from tests.sync.test_copy import a_message


@pytest.fixture
def tokens(sync: Sync, provider: Provider, tmp_path: Path) -> "Tokens":
    return Tokens(sync, provider, tmp_path)


class Tokens:
    """sync in both its roles, beside a provider."""

    def __init__(self, sync: Sync, provider: Provider, directory: Path) -> None:
        self.sync, self.provider = sync, provider
        self.sender_keys = directory / "sender"
        new_key(self.sender_keys)
        publish(self.sender_keys, directory / "sender-public")
        self.told = {
            "oauth_providers": listed(provider),
            "sender_keys_dir": directory / "sender-public",
        }
        self.keys = OpeningKeys.load(sync.keys)

    @asynccontextmanager
    async def answering(self) -> AsyncGenerator[None]:
        async with self.sync.running(role="answer", **self.told):
            yield

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async with self.answering(), self.sync.running(**self.told):
            yield

    @cached_property
    def refresher(self) -> Refresher:
        """That of a process which reads no mail."""
        return Refresher(self.settings, self.keys, self.sync.database)

    @property
    def settings(self) -> Settings:
        return Settings(
            **{
                "database_url": self.sync.platform.database_url("sync"),
                "request_database_url": self.sync.platform.database_url("sync_request"),
                "bus_url": self.sync.platform.bus_url("sync"),
                "dial_allowed_networks": "127.0.0.0/8",
                "seal_keys_dir": self.sync.keys,
                "probe_port": 0,
                **self.told,
            }  # pyright: ignore[reportArgumentType]
        )

    async def grant(self, user: str, server: Dovecot) -> tuple[UUID, UUID]:
        """A consent that no account uses: its tenant and its id."""
        tenant_id = uuid4()
        async with self.answering():
            grant_id, redeemed = await redeem(
                self.sync, self.provider, user, server, tenant_id=tenant_id, account_id=uuid4()
            )
        assert redeemed.problem is None
        return tenant_id, grant_id

    async def token(self, grant: tuple[UUID, UUID], refused: str | None = None) -> Issued:
        digest = None if refused is None else sha256(refused.encode()).digest()
        return await self.refresher.token(*grant, refused=digest)

    async def revokes(self) -> None:
        """What a process of sync does from time to time."""
        await revoke_consents(self.settings, self.keys, self.sync.database)

    async def pass_by(self, seconds: float) -> None:
        """Let so much time have gone by for every consent."""
        await self.sync.database.execute(
            """
            UPDATE oauth_grant
               SET refresh_at = refresh_at - $1::interval, expires_at = expires_at - $1::interval,
                   claimed_until = claimed_until - $1::interval, retry_at = retry_at - $1::interval
            """,
            timedelta(seconds=seconds),
        )

    async def set(self, assignments: str, grant_id: UUID | None = None) -> None:
        """Let time have gone by for this consent, or for all."""
        await self.sync.database.execute(
            f"UPDATE oauth_grant SET {assignments} WHERE $1::uuid IS NULL OR grant_id = $1",
            grant_id,
        )


#: A process that needs a token when it is told to.
_A_PROCESS = """
import asyncio, sys
from uuid import UUID
from services.sync.actions.refreshing import Refresher
from services.sync.settings import Settings
from shared.db import open_pool
from shared.seal import OpeningKeys

async def main():
    settings = Settings()
    keys = OpeningKeys.load(settings.seal_keys_dir)
    async with open_pool(settings.database_url, settings, name="sync token", size=1) as pool:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        issued = await Refresher(settings, keys, pool).token(*map(UUID, sys.argv[1:]))
        print(issued.token, flush=True)

asyncio.run(main())
"""

ENDED = "expires_at = now(), refresh_at = now()"
DUE = "refresh_at = now()"


async def test_an_account_is_read_by_token_and_its_next_mail_comes(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    token_dovecot.append(user, "INBOX", [a_message("first")])
    async with tokens.running():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.sync.until_listed(1)
        await tokens.sync.until_state("live")
        token_dovecot.append(user, "INBOX", [a_message("second")])
        await tokens.sync.until_listed(2)
    assert tokens.provider.refreshes == 0, "the token that came with the consent is good"


async def test_a_session_is_renewed_before_its_token_ends(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    tokens.provider.life_seconds = 4
    async with tokens.running():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.sync.until_state("live")
        seen = tokens.provider.refreshes

        async def renewed() -> bool:
            return tokens.provider.refreshes > seen + 1

        await until("the token is refreshed twice", renewed)
        token_dovecot.append(user, "INBOX", [a_message("much later")])
        await tokens.sync.until_listed(1)
    states = {event.state for event in tokens.sync.listener.told if hasattr(event, "state")}
    assert states <= {"connecting", "syncing", "live"}


async def test_a_token_that_the_server_takes_for_ended_is_replaced(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    """The mail server's clock is ahead of everybody's."""
    user = token_dovecot.new_user()
    async with tokens.answering():
        command = await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        tokens.provider.expire(user)
        async with tokens.sync.running(**tokens.told):
            await tokens.sync.until_state("live")
    assert tokens.provider.refreshes == 1
    assert command.grant_id is not None


async def test_a_token_that_ends_in_the_middle_of_a_first_copy_loses_nothing(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    token_dovecot.append(user, "INBOX", [a_message(f"number {n}") for n in range(300)])
    async with tokens.running():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)

        async def begun() -> bool:
            return bool(tokens.sync.listener.listed())

        await until("some came", begun)
        tokens.provider.expire(user)
        token_dovecot.doveadm("kick", user)
        assert len(await tokens.sync.until_listed(300)) == 300
    assert tokens.provider.refused == 0


async def test_a_refresh_token_that_is_replaced_is_kept_before_it_is_needed(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    tokens.provider.rotates = True
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    given: set[str] = set()
    for _ in range(3):
        await tokens.set(ENDED, grant[1])
        issued = await tokens.token(grant)
        assert tokens.provider.is_good(issued.token)
        given.add(issued.token)
    assert len(given) == 3
    assert tokens.provider.refused == 0, "no refresh token was used twice"


async def test_who_goes_away_in_the_middle_of_a_refresh_does_not_lose_what_came_of_it(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    tokens.provider.rotates = True
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    await tokens.set(ENDED, grant[1])
    tokens.provider.slow.clear()
    asking = asyncio.create_task(tokens.token(grant))
    await asyncio.to_thread(tokens.provider.asked.wait, 60)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    tokens.provider.slow.set()
    issued = await tokens.token(grant)
    assert tokens.provider.is_good(issued.token)
    await tokens.set(ENDED, grant[1])
    assert tokens.provider.is_good((await tokens.token(grant)).token)
    assert tokens.provider.refused == 0


async def test_a_process_that_ends_keeps_what_the_provider_is_about_to_answer(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    tokens.provider.rotates = True
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    await tokens.set(ENDED, grant[1])
    tokens.provider.slow.clear()
    ending = Refresher(tokens.settings, tokens.keys, tokens.sync.database)
    asking = asyncio.create_task(ending.token(*grant))
    await asyncio.to_thread(tokens.provider.asked.wait, 60)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    closing = asyncio.create_task(ending.close())
    tokens.provider.slow.set()
    await closing
    assert tokens.provider.is_good((await tokens.token(grant)).token)
    assert (tokens.provider.refreshes, tokens.provider.refused) == (1, 0)


async def test_many_who_need_a_token_ask_the_provider_once(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    await tokens.set(ENDED, grant[1])
    tokens.provider.slow.clear()
    asking = [asyncio.create_task(tokens.token(grant)) for _ in range(8)]
    await asyncio.to_thread(tokens.provider.asked.wait, 60)
    tokens.provider.slow.set()
    issued = await asyncio.gather(*asking)
    assert len({one.token for one in issued}) == 1
    assert tokens.provider.refreshes == 1


async def test_of_two_processes_that_need_a_token_at_once_one_asks_the_provider(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    tokens.provider.rotates = True
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    await tokens.set(ENDED, grant[1])
    tokens.provider.slow.clear()
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _A_PROCESS, str(grant[0]), str(grant[1])),
            env=os.environ
            | tokens.sync.platform.environment("sync")
            | {
                "SYNC_SEAL_KEYS_DIR": str(tokens.sync.keys),
                "OAUTH_PROVIDERS": str(tokens.told["oauth_providers"]),
                "SYNC_DIAL_ALLOWED_NETWORKS": "127.0.0.0/8",
                "SYNC_PROBE_PORT": "0",
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    lines: list[bytes] = []
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        await process.stdin.drain()
    await asyncio.to_thread(tokens.provider.asked.wait, 60)
    tokens.provider.slow.set()
    for process in processes:
        said, _ = await process.communicate()
        lines.append(said.splitlines()[-1])
    assert lines[0] == lines[1]
    assert tokens.provider.is_good(lines[0].decode())
    assert (tokens.provider.refreshes, tokens.provider.refused) == (1, 0)


async def test_the_token_of_now_serves_while_another_is_fetched(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    before = await tokens.token(grant)
    await tokens.set(DUE + ", claimed_until = now() + interval '1 minute'", grant[1])
    assert (await tokens.token(grant)).token == before.token
    await tokens.set("claimed_until = now()", grant[1])  # who claimed it died
    assert (await tokens.token(grant)).token != before.token


async def test_a_provider_that_is_down_is_left_alone_for_a_while_and_the_consent_stays(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    grant = await tokens.grant(token_dovecot.new_user(), token_dovecot)
    tokens.provider.down = 503
    before = await tokens.token(grant)
    await tokens.set(DUE, grant[1])
    assert (await tokens.token(grant)).token == before.token, "it still lives"
    await tokens.set(ENDED, grant[1])
    with pytest.raises(ProviderAway):
        await tokens.token(grant)
    tokens.provider.down = None
    with pytest.raises(ProviderAway) as away:
        await tokens.token(grant)
    assert (away.value.retry_after or 0) > 0, "it is not asked for each who comes"
    assert tokens.provider.refreshes == 0
    await tokens.set("retry_at = now() - interval '1 hour'", grant[1])
    assert tokens.provider.is_good((await tokens.token(grant)).token)


async def test_an_account_rests_while_its_provider_is_down_and_goes_on_by_itself(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    async with tokens.answering():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.set(ENDED)
        tokens.provider.down = 502
        async with tokens.sync.running(retry_longest_seconds=0.5, **tokens.told):
            told = await tokens.sync.until_state("unreachable")
            assert told.reason == "oauth_provider_unavailable"
            tokens.provider.down = None
            await tokens.set("retry_at = now()")
            await tokens.sync.until_state("live")


async def test_a_provider_that_is_down_for_an_hour_is_asked_now_and_then_and_nobody_consents_anew(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    async with tokens.running():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.sync.until_state("live")
    grant = await tokens.sync.database.fetchrow("SELECT tenant_id, grant_id FROM oauth_grant")
    tokens.provider.down = 503
    await tokens.set(ENDED)
    hour = 3600.0
    while hour > 0:
        with pytest.raises(ProviderAway) as away:
            await tokens.token(tuple(grant))
        rest = away.value.retry_after or 1.0  # the first who asks is told at once
        await tokens.pass_by(rest)
        hour -= rest
    assert 12 <= tokens.provider.turned_away <= 40, "each pause is longer, up to five minutes"
    token_dovecot.append(user, "INBOX", [a_message("meanwhile")])
    async with tokens.running():
        told = await tokens.sync.until_state("unreachable")
        assert told.reason == "oauth_provider_unavailable"
        tokens.provider.down = None
        await tokens.pass_by(300)
        await tokens.sync.until_state("live")
        await tokens.sync.until_listed(1)
    assert (tokens.provider.refreshes, tokens.provider.refused) == (1, 0)
    states = [
        event.state for event in tokens.sync.listener.told if isinstance(event, AccountChanged)
    ]
    assert "reauth_required" not in states


async def test_a_withdrawn_consent_says_so_and_the_same_account_is_repaired(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    token_dovecot.append(user, "INBOX", [a_message("before")])
    async with tokens.running():
        command = await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        before = await tokens.sync.until_listed(1)
        await tokens.sync.until_state("live")
        tokens.provider.withdraw(user)
        token_dovecot.doveadm("kick", user)
        told = await tokens.sync.until_state("reauth_required")
        assert told.reason == "consent_ended"
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot, known=command)
        await tokens.sync.until_state("live")
        token_dovecot.append(user, "INBOX", [a_message("after")])
        assert (await tokens.sync.until_listed(2))["before"] == before["before"]
    kept = await tokens.sync.database.fetchval("SELECT count(*) FROM oauth_grant")
    assert kept == 1, "the consent that ended is forgotten"


async def test_a_consent_that_has_ended_is_not_asked_about_again(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    grant = await tokens.grant(user, token_dovecot)
    tokens.provider.withdraw(user)
    await tokens.set(ENDED, grant[1])
    for _ in range(3):
        with pytest.raises(GrantEnded):
            await tokens.token(grant)
    assert tokens.provider.refused == 1


async def test_a_consent_of_another_mailbox_repairs_nothing(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    mine, other = token_dovecot.new_user(), token_dovecot.new_user()
    async with tokens.answering():
        _, redeemed = await redeem(
            tokens.sync,
            tokens.provider,
            other,
            token_dovecot,
            tenant_id=uuid4(),
            account_id=uuid4(),
            expected=mine,
        )
    assert redeemed.problem is not None
    assert redeemed.problem.code == "another_mailbox"
    assert await tokens.sync.database.fetchval("SELECT count(*) FROM oauth_grant") == 0


async def test_a_code_without_its_verifier_is_worth_nothing(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    async with tokens.answering():
        _, redeemed = await redeem(
            tokens.sync,
            tokens.provider,
            token_dovecot.new_user(),
            token_dovecot,
            tenant_id=uuid4(),
            account_id=uuid4(),
            verifier="v" * 50,
        )
    assert redeemed.problem is not None
    assert redeemed.problem.code == "code_refused"


async def test_a_clients_secret_goes_to_its_own_endpoint_only(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    async with tokens.answering():
        _, redeemed = await redeem(
            tokens.sync,
            tokens.provider,
            token_dovecot.new_user(),
            token_dovecot,
            tenant_id=uuid4(),
            account_id=uuid4(),
            token_endpoint=tokens.provider.token_endpoint + "/elsewhere",
        )
    assert redeemed.problem is not None
    assert redeemed.problem.code == "provider_unknown"
    assert tokens.provider.refused == 0


async def test_sender_has_a_token_for_the_server_that_was_consented_to(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    async with tokens.running():
        command = await connect_by_consent(
            tokens.sync, tokens.provider, user, token_dovecot, smtp_port=2525
        )
        await tokens.sync.until_state("live")
        answer = await _asked(tokens, command)
        foreign = await _asked(tokens, command, tenant_id=uuid4())
    assert answer.sealed is not None
    place = Destination(
        tenant_id=command.tenant_id,
        account_id=command.account_id,
        purpose="smtp",
        host="127.0.0.1",
        port=2525,
        security=command.endpoint.security,
        username=user,
    )
    keys = OpeningKeys.load(tokens.sender_keys)
    assert tokens.provider.is_good(open_sealed(answer.sealed, keys, place).secret)
    evil = Destination(**{**_fields(place), "host": "evil.example"})
    with pytest.raises(Mismatch):
        open_sealed(answer.sealed, keys, evil)
    assert foreign.sealed is None
    assert foreign.problem is not None
    assert foreign.problem.code == "not_found"


async def _asked(
    tokens: Tokens, command: ConnectSync, *, tenant_id: UUID | None = None
) -> TokenAnswer:
    from shared.bus import BusSettings, open_bus

    settings = BusSettings(bus_url=tokens.sync.platform.bus_url("sender"))  # pyright: ignore[reportArgumentType]
    async with open_bus(settings, service="sender") as sender:
        return await sender.ask(
            IssueToken(
                caller=Caller(
                    tenant_id=tenant_id or command.tenant_id, account_ids=(command.account_id,)
                ),
                account_id=command.account_id,
            ),
            TokenAnswer,
        )


def _fields(place: Destination) -> dict[str, object]:
    return {name: getattr(place, name) for name in Destination.__struct_fields__}


async def test_the_consent_of_a_removed_account_ends_at_its_provider(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    async with tokens.running():
        command = await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.sync.until_state("live")
        await tokens.sync.command(
            RemoveSync(tenant_id=command.tenant_id, account_id=command.account_id)
        )

        async def forgotten() -> bool:
            return await tokens.sync.database.fetchval("SELECT count(*) FROM oauth_grant") == 0

        await until("the consent is forgotten", forgotten)
    assert not tokens.provider.is_consented(user)


async def remove(tokens: Tokens, grant: tuple[UUID, UUID]) -> None:
    """The account of a consent is removed, while nobody is there to end it."""
    tenant_id, grant_id = grant
    account_id = await tokens.sync.database.fetchval(
        "UPDATE oauth_grant SET adopted_at = now() WHERE grant_id = $1 RETURNING account_id",
        grant_id,
    )
    await remove_account(
        RemoveSync(tenant_id=tenant_id, account_id=account_id), tokens.sync.database
    )


async def test_a_provider_that_is_away_is_asked_again_to_end_a_consent(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    await remove(tokens, await tokens.grant(user, token_dovecot))
    tokens.provider.down = 503
    await tokens.revokes()
    assert tokens.provider.is_consented(user)
    tokens.provider.down = None
    await tokens.revokes()
    assert tokens.provider.is_consented(user), "not before its time"
    await tokens.set("revoke_at = now()")
    await tokens.revokes()
    assert not tokens.provider.is_consented(user)
    assert await tokens.sync.database.fetchval("SELECT count(*) FROM oauth_grant") == 0


async def test_a_provider_that_stays_away_does_not_keep_a_consent_here(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    await remove(tokens, await tokens.grant(token_dovecot.new_user(), token_dovecot))
    tokens.provider.down = 503
    await tokens.set("revoke_at = now(), revoke_until = now()")
    await tokens.revokes()
    assert await tokens.sync.database.fetchval("SELECT count(*) FROM oauth_grant") == 0


async def test_a_mailbox_that_another_account_reads_keeps_its_consent(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    """Some providers end all that a client has of a person with one of it."""
    user = token_dovecot.new_user()
    other = await tokens.grant(user, token_dovecot)
    async with tokens.running():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.sync.until_state("live")
        await remove(tokens, other)
        await tokens.revokes()
    assert tokens.provider.is_consented(user)


async def test_nothing_of_a_consent_is_in_the_clear_in_the_database(
    tokens: Tokens, token_dovecot: Dovecot
) -> None:
    user = token_dovecot.new_user()
    async with tokens.running():
        await connect_by_consent(tokens.sync, tokens.provider, user, token_dovecot)
        await tokens.sync.until_state("live")
    rows = await tokens.sync.database.fetch(
        "SELECT oauth_grant::text AS shown, sealed, access_sealed FROM oauth_grant"
    )
    assert rows
    for row in rows:
        held = row["shown"].encode() + row["sealed"] + row["access_sealed"]
        assert not [token for token in tokens.provider.tokens if token.encode() in held]
