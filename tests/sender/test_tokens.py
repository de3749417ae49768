"""Sending for accounts that sign in by OAuth2: sync is asked for tokens."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from nats.aio.msg import Msg

from shared.contracts.account import ConnectSender, Security
from shared.contracts.envelope import Problem, decode, encode
from shared.contracts.mail import Address
from shared.contracts.oauth import IssueToken, TokenAnswer
from shared.contracts.submission import SubmissionState
from shared.seal import Credential, Destination, OpeningKeys, seal
from tests.sender.conftest import Bench
from tests.sender.test_postfix import delivered
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.provider import Provider

ACCEPTED, DEFERRED = SubmissionState.ACCEPTED, SubmissionState.DEFERRED


class Sync:
    """What sync would answer to who asks for tokens."""

    def __init__(self, bench: Bench, provider: Provider, user: str, postfix: Postfix) -> None:
        self.bench, self.provider, self.user = bench, provider, user
        self.endpoint = bench.endpoint(
            port=postfix.submission_port, security=Security.STARTTLS, username=user
        )
        self.asked: list[IssueToken] = []
        self.gave: list[str] = []
        self.problem: Problem | None = None
        self.is_there = True

    @asynccontextmanager
    async def answering(self) -> AsyncGenerator["Sync"]:
        async with self.bench.platform.admin_bus() as bus:
            await bus.subscribe(IssueToken.channel, cb=self._answer)
            await bus.flush()
            yield self

    async def _answer(self, message: Msg) -> None:
        if not self.is_there:
            return
        query = decode(message.data, IssueToken)
        self.asked.append(query)
        if self.problem is not None:
            await message.respond(encode(TokenAnswer(problem=self.problem)))
            return
        if not self.gave or query.refused == sha256(self.gave[-1].encode()).digest():
            self.gave.append(self.provider.token_of(self.user))
        place = Destination.of(
            self.endpoint,
            tenant_id=self.bench.tenant_id,
            account_id=self.bench.account_id,
            purpose="smtp",
        )
        keys = OpeningKeys.load(self.bench.keys_dir)
        answer = TokenAnswer(
            sealed=seal(Credential.at(place, self.gave[-1]), keys),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        await message.respond(encode(answer))

    async def connect(self, version: int = 1) -> None:
        await self.bench.tell(
            ConnectSender(
                tenant_id=self.bench.tenant_id,
                account_id=self.bench.account_id,
                version=version,
                email=self.user,
                endpoint=self.endpoint,
                sealed=b"",
                by_token=True,
            )
        )
        await self.bench.until_row("SELECT by_token FROM account WHERE version = $1", version)


async def test_a_message_leaves_by_token_and_the_token_serves_for_the_next(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    ada, bob = token_dovecot.new_user("ada"), token_dovecot.new_user("bob")
    async with (
        Sync(bench, provider, ada, token_postfix).answering() as sync,
        bench.sender(sessions_idle=0) as _,
    ):
        await sync.connect()
        for count in (1, 2):
            sent = await bench.send(Address("", bob), sender=Address("Ada", ada))
            await bench.until(sent, ACCEPTED)
            await delivered(token_dovecot, bob, count)
    assert len(sync.asked) == 1


async def test_a_token_that_ended_early_is_replaced_in_the_same_attempt(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    ada, bob = token_dovecot.new_user("ada"), token_dovecot.new_user("bob")
    async with (
        Sync(bench, provider, ada, token_postfix).answering() as sync,
        bench.sender(sessions_idle=0) as _,
    ):
        await sync.connect()
        first = await bench.send(Address("", bob), sender=Address("Ada", ada))
        await bench.until(first, ACCEPTED)
        provider.expire(ada)
        second = await bench.send(Address("", bob), sender=Address("Ada", ada))
        told = await bench.until(second, ACCEPTED, DEFERRED)
    assert told.state == ACCEPTED
    assert [query.refused is None for query in sync.asked] == [True, False]
    assert len(set(sync.gave)) == 2


async def test_a_session_that_outlives_its_token_hands_over_what_it_began(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    """A server looks at a token when somebody signs in; what comes after needs no other."""
    ada, bob = token_dovecot.new_user("ada"), token_dovecot.new_user("bob")
    async with (
        Sync(bench, provider, ada, token_postfix).answering() as sync,
        bench.sender(session_idle_seconds=60.0) as _,
    ):
        await sync.connect()
        first = await bench.send(Address("", bob), sender=Address("Ada", ada))
        await bench.until(first, ACCEPTED)
        provider.expire(ada)
        second = await bench.send(Address("", bob), sender=Address("Ada", ada))
        assert (await bench.until(second, ACCEPTED, DEFERRED)).state == ACCEPTED
        await delivered(token_dovecot, bob, 2)
    assert len(sync.asked) == 1


async def test_a_message_waits_while_there_is_no_token(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    ada, bob = token_dovecot.new_user("ada"), token_dovecot.new_user("bob")
    async with (
        Sync(bench, provider, ada, token_postfix).answering() as sync,
        bench.sender() as world,
    ):
        sync.problem = Problem(code="token_unavailable", detail="The provider answered 503.")
        await sync.connect()
        sent = await bench.send(Address("", bob), sender=Address("Ada", ada))
        assert (await bench.until(sent, DEFERRED)).reason == "token_unavailable"
        sync.problem = None
        await bench.rows.execute("UPDATE account SET rests_until = now()")
        await bench.rows.execute("UPDATE submission SET due_at = now()")
        world.due.set()
        await bench.until(sent, ACCEPTED)
        await delivered(token_dovecot, bob)


async def test_a_consent_that_has_ended_waits_for_a_new_one(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    ada, bob = token_dovecot.new_user("ada"), token_dovecot.new_user("bob")
    async with (
        Sync(bench, provider, ada, token_postfix).answering() as sync,
        bench.sender() as _,
    ):
        sync.problem = Problem(code="reauth_required")
        await sync.connect()
        sent = await bench.send(Address("", bob), sender=Address("Ada", ada))
        assert (await bench.until(sent, DEFERRED)).reason == "consent_ended"
        sync.problem = None
        await sync.connect(version=2)  # somebody consented anew
        await bench.until(sent, ACCEPTED)
        await delivered(token_dovecot, bob)


async def test_a_token_for_another_server_is_not_used(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    ada = token_dovecot.new_user("ada")
    async with Sync(bench, provider, ada, token_postfix).answering() as sync, bench.sender():
        await sync.connect()
        # Whoever can write here cannot have a token sent to a server of theirs.
        await bench.rows.execute("UPDATE account SET port = $1", bench.server.port)
        sent = await bench.send(sender=Address("Ada", ada))
        assert (await bench.until(sent, DEFERRED)).reason == "credential_unusable"
    assert bench.server.talks == []


async def test_what_the_server_says_of_a_token_is_told_in_plain_words(
    bench: Bench, provider: Provider, token_dovecot: Dovecot, token_postfix: Postfix
) -> None:
    ada = token_dovecot.new_user("ada")
    async with Sync(bench, provider, ada, token_postfix).answering() as sync, bench.sender():
        await sync.connect()
        provider.ahead_seconds = 7200  # whatever token there is has ended there
        sent = await bench.send(sender=Address("Ada", ada))
        told = await bench.until(sent, DEFERRED)
    assert told.reason == "token_refused"
    assert "invalid_token" in (told.server_said or "")
    assert not [one for one in provider.tokens if one in (told.server_said or "")]
