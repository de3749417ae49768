"""Sending for accounts that sign in by OAuth2: sync is asked for tokens."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from nats.aio.msg import Msg

from shared.contracts.account import ConnectSender, Security
from shared.contracts.envelope import Problem, decode, encode
from shared.contracts.mail import Address
from shared.contracts.oauth import IssueToken, TokenAnswer
from shared.contracts.submission import SubmissionState
from shared.seal import Credential, Destination, OpeningKeys, seal
from tests.sender.conftest import Bench
from tests.sender.scripted import Does, Says, Talk
from tests.sender.test_postfix import delivered
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.provider import Provider

ACCEPTED, DEFERRED = SubmissionState.ACCEPTED, SubmissionState.DEFERRED


def token_of(talk: Talk) -> str:
    """The access token that somebody showed in this talk."""
    (said,) = talk.said("AUTH XOAUTH2 ")
    shown = base64.b64decode(said.rpartition(" ")[2]).decode()
    return shown.partition("auth=Bearer ")[2].strip("\1")


class Watchful:
    """A server that looks at the token whenever it is spoken to, as some do.

    The one that a session signed in with ends in the middle of a message, once.
    """

    def __init__(self, bench: Bench, provider: Provider, user: str) -> None:
        self._provider, self._user = provider, user
        self.ended = False
        bench.server.does(
            EHLO="250-mx.example\r\n250 AUTH XOAUTH2",
            AUTH=lambda talk: (
                "235 2.7.0 welcome" if provider.is_good(token_of(talk)) else "535 5.7.8 expired"
            ),
        )
        self.server = bench.server

    def ends_token_at(self, where: str, says: Says) -> None:
        usual = self.server.script.get(where)

        def watching(talk: Talk) -> Says | None:
            if not self.ended:
                self.ended = True
                self._provider.expire(self._user)
            if self._provider.is_good(token_of(talk)):
                return usual(talk) if callable(usual) else usual
            return says

        self.server.script[where] = watching


class Sync:
    """What sync would answer to who asks for tokens."""

    def __init__(
        self, bench: Bench, provider: Provider, user: str, postfix: Postfix | None = None
    ) -> None:
        self.bench, self.provider, self.user = bench, provider, user
        self.endpoint = (
            bench.endpoint(username=user)
            if postfix is None
            else bench.endpoint(
                port=postfix.submission_port, security=Security.STARTTLS, username=user
            )
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


@pytest.mark.parametrize("where", ["MAIL", "RCPT", "DATA"])
async def test_a_token_that_ends_between_two_messages_costs_none_an_attempt(
    bench: Bench, provider: Provider, where: str
) -> None:
    ada = "ada@example.com"
    watchful = Watchful(bench, provider, ada)
    async with Sync(bench, provider, ada).answering() as sync, bench.sender():
        await sync.connect()
        await bench.until(await bench.send(), ACCEPTED)
        watchful.ends_token_at(where, "530 5.7.0 Authentication required")
        second = await bench.send()
        await bench.until(second, ACCEPTED)
    assert DEFERRED not in bench.states(second)
    assert len(bench.server.messages) == 2
    assert len(set(sync.gave)) == 2
    assert (
        await bench.rows.fetchval("SELECT count(messages_per_session) FROM submission_server") == 0
    )


@pytest.mark.parametrize(
    ("where", "says", "reason"),
    [
        ("DATA", "530 5.7.0 Authentication required", "auth_required"),
        ("DATA", Does.CUT, "disconnected"),
        ("body", "535 5.7.8 The token has expired", "auth_required"),
        ("body", Does.CUT, "disconnected"),
        ("dot", "535 5.7.8 The token has expired", "auth_required"),
        ("dot", "421 4.7.0 The token has expired", "server_closing"),
    ],
)
async def test_a_message_whose_token_ends_in_the_middle_leaves_once_by_the_next_token(
    bench: Bench, provider: Provider, where: str, says: Says, reason: str
) -> None:
    ada = "ada@example.com"
    watchful = Watchful(bench, provider, ada)
    async with Sync(bench, provider, ada).answering() as sync, bench.sender() as world:
        await sync.connect()
        watchful.ends_token_at(where, says)
        sent = await bench.send(text="At noon?\n" * 50_000)
        assert (await bench.until(sent, DEFERRED)).reason == reason
        assert not await bench.rows.fetchval("SELECT trouble FROM account"), "it is served"
        await bench.rows.execute("UPDATE submission SET due_at = now()")
        world.due.set()
        await bench.until(sent, ACCEPTED)
    taken = [talk for talk in bench.server.talks if provider.is_good(token_of(talk))]
    assert [len(talk.dots) for talk in taken] == [1]
    assert [query.refused is None for query in sync.asked] == [True, False]
    assert SubmissionState.UNCERTAIN not in bench.states(sent)


@pytest.mark.parametrize("says", [Does.CUT, Does.CLOSE])
async def test_a_message_whose_token_ends_where_the_server_falls_silent_is_not_sent_again(
    bench: Bench, provider: Provider, says: Says
) -> None:
    ada = "ada@example.com"
    watchful = Watchful(bench, provider, ada)
    async with Sync(bench, provider, ada).answering() as sync, bench.sender() as world:
        await sync.connect()
        watchful.ends_token_at("dot", says)
        sent = await bench.send()
        await bench.until(sent, SubmissionState.UNCERTAIN)
        await bench.rows.execute("UPDATE submission SET due_at = now()")
        world.due.set()
        # What comes after it leaves by a new token; the doubtful one stays where it is.
        await bench.until(await bench.send(), ACCEPTED)
    assert len(bench.server.messages) == 2
    assert bench.states(sent)[-1] is SubmissionState.UNCERTAIN


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
