"""The wire: a scripted server, cut, silent and garbled at every phase."""

import asyncio
import base64
import hmac
import ssl
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest
import uvloop

from services.sender.domain.fate import Answer, fate_of
from services.sender.smtp import (
    AuthFailed,
    AuthNotOffered,
    AuthUnavailable,
    CertificateRejected,
    Delivery,
    Disconnected,
    Envelope,
    Garbled,
    NotReached,
    NotServed,
    Patience,
    Phase,
    StarttlsNotOffered,
    SubmitError,
    TimedOut,
    open_session,
)
from shared.contracts.account import Endpoint, Security
from shared.contracts.submission import Fate
from shared.dial import Policy
from tests.sender.scripted import Does, ScriptedServer
from tests.servers.certificate import self_signed

LOOPBACK = Policy((ip_network("127.0.0.0/8"),))
IMPATIENT = Patience(
    dial_seconds=2, command_seconds=0.4, block_seconds=0.4, dot_seconds=0.4, quit_seconds=0.2
)
MIME = b"Subject: hi\r\n\r\n.one dot\r\n..two dots\r\n.\r\nbye\r\n"
TWO = Envelope(sender="ada@example.com", recipients=("bob@example.org", "eve@example.net"))


@pytest.fixture
async def server():
    async with ScriptedServer().running() as server:
        yield server


def endpoint_of(server: ScriptedServer, **differently: object) -> Endpoint:
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "security": Security.NONE,
        "username": "ada",
        "verify_certificate": False,
    }
    return Endpoint(**(values | differently))  # type: ignore[arg-type]


class Commit:
    """Stands for the commit between body and dot."""

    def __init__(self, error: Exception | None = None) -> None:
        self.answers: list[Answer | None] | None = None
        self._error = error

    async def __call__(self, answers: Sequence[Answer | None]) -> None:
        self.answers = list(answers)
        if self._error:
            raise self._error


async def hand_over(
    server: ScriptedServer,
    envelope: Envelope = TWO,
    mime: bytes = MIME,
    *,
    commit: Commit | None = None,
    endpoint: Endpoint | None = None,
) -> Delivery:
    # Short only where the server will not speak: a busy machine is no silent server.
    patience = IMPATIENT if Does.SILENCE in server.script.values() else Patience()
    async with open_session(
        endpoint or endpoint_of(server), "secret", policy=LOOPBACK, patience=patience
    ) as session:
        return await session.transact(envelope, mime, commit or Commit())


def fates(delivery: Delivery) -> list[Fate]:
    return [fate_of(answer.stage, answer.reply) for answer in delivery.answers]


async def test_a_message_is_handed_over_as_it_was_frozen(server: ScriptedServer):
    commit = Commit()
    delivery = await hand_over(server, commit=commit)

    assert fates(delivery) == [Fate.ACCEPTED, Fate.ACCEPTED]
    assert commit.answers == [None, None]
    (talk,) = server.talks
    assert talk.message == MIME
    assert talk.body == MIME.replace(b"\r\n.", b"\r\n..")
    login = base64.b64encode(b"\0ada\0secret").decode()
    hello = talk.commands[0]
    assert hello == "EHLO [127.0.0.1]"
    assert talk.commands[1:] == [
        f"AUTH PLAIN {login}",
        f"MAIL FROM:<ada@example.com> SIZE={len(MIME)}",
        "RCPT TO:<bob@example.org>",
        "RCPT TO:<eve@example.net>",
        "DATA",
        "QUIT",
    ]


async def test_the_servers_words_and_codes_are_kept(server: ScriptedServer):
    server.does(dot="250-2.0.0 taken\r\n250 2.0.0 as 12345")
    delivery = await hand_over(server)
    reply = delivery.answers[0].reply
    assert reply is not None
    assert (reply.code, reply.enhanced_code, reply.text) == (250, "2.0.0", "taken as 12345")


async def test_the_commit_comes_before_the_dot_and_after_the_body(server: ScriptedServer):
    async def look(_: Sequence[Answer | None]) -> None:
        async with asyncio.timeout(5):
            while server.talks[0].body != MIME.replace(b"\r\n.", b"\r\n.."):
                await asyncio.sleep(0.01)
        assert not server.talks[0].dot

    async with open_session(
        endpoint_of(server), "secret", policy=LOOPBACK, patience=Patience()
    ) as session:
        delivery = await session.transact(TWO, MIME, look)
    assert fates(delivery) == [Fate.ACCEPTED, Fate.ACCEPTED]


async def test_without_the_commit_there_is_no_dot(server: ScriptedServer):
    with pytest.raises(LookupError):
        await hand_over(server, commit=Commit(LookupError("lease lost")))
    await asyncio.sleep(0.05)
    assert server.messages == []


async def test_a_cancelled_commit_leaves_no_dot(server: ScriptedServer):
    committing = asyncio.Event()

    async def never(_: Sequence[Answer | None]) -> None:
        committing.set()
        await asyncio.Event().wait()

    async def attempt() -> None:
        async with open_session(
            endpoint_of(server), "secret", policy=LOOPBACK, patience=Patience()
        ) as session:
            await session.transact(TWO, MIME, never)

    task = asyncio.create_task(attempt())
    await committing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.05)
    assert server.talks[0].body is not None
    assert server.messages == []


DEAD = [Does.CUT, Does.CLOSE, Does.SILENCE, "hello?", "25x what", ""]


@pytest.mark.parametrize("does", DEAD)
@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
async def test_before_the_dot_everything_but_5yz_is_tried_again(
    server: ScriptedServer, phase: str, does: str | Does
):
    server.does(**{phase: does})
    commit = Commit()
    delivery = await hand_over(server, commit=commit)
    assert fates(delivery) == [Fate.DEFERRED, Fate.DEFERRED]
    assert delivery.problem is not None
    assert delivery.phase == Phase[phase]
    assert commit.answers is None
    assert server.messages == []


@pytest.mark.parametrize("does", DEAD)
async def test_after_the_dot_silence_is_uncertain(server: ScriptedServer, does: str | Does):
    server.does(dot=does)
    delivery = await hand_over(server)
    assert fates(delivery) == [Fate.UNCERTAIN, Fate.UNCERTAIN]
    assert len(server.messages) == 1
    assert delivery.problem is not None


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ("250 ok", Fate.ACCEPTED),
        ("251 ok", Fate.ACCEPTED),
        ("421 4.3.2 shutting down", Fate.DEFERRED),
        ("451 4.7.1 greylisted", Fate.DEFERRED),
        ("554 5.7.1 spam", Fate.REFUSED),
        ("354 go on", Fate.UNCERTAIN),
        ("999 huh", Fate.UNCERTAIN),
        ("000 huh", Fate.UNCERTAIN),
    ],
)
async def test_after_the_dot_the_first_digit_decides(server: ScriptedServer, said: str, fate: Fate):
    server.does(dot=said)
    assert fates(await hand_over(server)) == [fate, fate]


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ("421 4.3.2 shutting down", Fate.DEFERRED),
        ("450 4.2.1 busy", Fate.DEFERRED),
        ("550 5.7.1 no", Fate.REFUSED),
        ("999 huh", Fate.DEFERRED),
    ],
)
async def test_a_refusal_before_the_dot_hands_nothing_over(
    server: ScriptedServer, phase: str, said: str, fate: Fate
):
    server.does(**{phase: said})
    delivery = await hand_over(server)
    assert fates(delivery) == [fate, fate]
    assert server.messages == []
    reply = delivery.answers[0].reply
    assert reply is not None
    assert str(reply.code) == said[:3]


async def test_each_recipient_has_an_answer_of_its_own(server: ScriptedServer):
    server.script["RCPT TO:<eve@"] = "550 5.1.1 nobody here"
    server.script["RCPT TO:<dan@"] = "452 4.5.3 too many recipients"
    commit = Commit()
    delivery = await hand_over(
        server,
        Envelope(sender="a@b.c", recipients=("bob@b.c", "eve@b.c", "dan@b.c")),
        commit=commit,
    )
    assert fates(delivery) == [Fate.ACCEPTED, Fate.REFUSED, Fate.DEFERRED]
    assert commit.answers is not None
    assert [answer is None for answer in commit.answers] == [True, False, False]


async def test_a_recipient_refused_before_the_line_broke_stays_refused(server: ScriptedServer):
    server.script["RCPT TO:<bob@"] = "550 5.1.1 nobody here"
    server.does(DATA=Does.CUT)
    assert fates(await hand_over(server)) == [Fate.REFUSED, Fate.DEFERRED]


async def test_a_line_that_breaks_after_the_dot_leaves_only_the_taken_uncertain(
    server: ScriptedServer,
):
    server.script["RCPT TO:<bob@"] = "550 5.1.1 nobody here"
    server.does(dot=Does.CUT)
    assert fates(await hand_over(server)) == [Fate.REFUSED, Fate.UNCERTAIN]


async def test_a_server_that_goes_while_recipients_are_named_is_tried_again_for_all(
    server: ScriptedServer,
):
    server.script["RCPT TO:<eve@"] = "421 4.7.0 enough"
    delivery = await hand_over(server)
    assert fates(delivery) == [Fate.DEFERRED, Fate.DEFERRED]
    assert delivery.answers[0].reply is not None
    assert server.messages == []


BIG = b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"." + b"y" * 900 + b"\r\n") * 14_000


@pytest.mark.parametrize("does", [Does.CUT, Does.CLOSE, Does.SILENCE])
async def test_a_line_that_breaks_within_the_body_hands_nothing_over(
    server: ScriptedServer, does: Does
):
    server.does(body=does)
    commit = Commit()
    delivery = await hand_over(server, mime=BIG, commit=commit)
    assert fates(delivery) == [Fate.DEFERRED, Fate.DEFERRED]
    assert delivery.phase is Phase.BODY
    assert commit.answers is None
    assert server.messages == []


async def test_a_big_message_arrives_whole(server: ScriptedServer):
    delivery = await hand_over(server, mime=BIG)
    assert fates(delivery) == [Fate.ACCEPTED, Fate.ACCEPTED]
    assert server.messages == [BIG]


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        ("552 5.3.4 too large", Fate.REFUSED),
        ("451 4.3.1 disk full", Fate.DEFERRED),
        ("250 2.0.0 taken", Fate.DEFERRED),
    ],
)
async def test_a_server_that_speaks_within_the_body_gets_no_dot(
    server: ScriptedServer, said: str, fate: Fate
):
    server.does(body=said)
    commit = Commit()
    delivery = await hand_over(server, mime=BIG, commit=commit)
    assert fates(delivery) == [fate, fate]
    assert server.messages == []


async def test_a_server_that_leaves_during_the_commit_gets_no_dot_and_leaves_no_doubt(
    server: ScriptedServer,
):
    server.does(body="421 4.4.2 timeout")
    server.body_bytes = len(MIME.replace(b"\r\n.", b"\r\n.."))

    async def slow(_: Sequence[Answer | None]) -> None:
        await asyncio.sleep(0.2)

    async with open_session(
        endpoint_of(server), "secret", policy=LOOPBACK, patience=Patience()
    ) as session:
        delivery = await session.transact(TWO, MIME, slow)
    assert fates(delivery) == [Fate.DEFERRED, Fate.DEFERRED]
    assert server.messages == []


async def test_a_message_larger_than_the_server_takes_is_not_begun(server: ScriptedServer):
    server.does(EHLO="250-mx\r\n250 SIZE 20", AUTH="235 ok")
    delivery = await hand_over(server, endpoint=endpoint_of(server, username=""))
    assert fates(delivery) == [Fate.REFUSED, Fate.REFUSED]
    reply = delivery.answers[0].reply
    assert reply is not None
    assert reply.enhanced_code == "5.3.4"
    assert server.talks[0].said("MAIL") == []


async def test_addresses_outside_ascii_go_only_where_they_are_understood(server: ScriptedServer):
    envelope = Envelope(sender="ada@example.com", recipients=("jörg@b.c", "bob@b.c"))
    assert fates(await hand_over(server, envelope)) == [Fate.ACCEPTED, Fate.ACCEPTED]
    assert server.talks[0].said("MAIL")[0].endswith(" SMTPUTF8")
    assert server.talks[0].said("RCPT")[0] == "RCPT TO:<jörg@b.c>"

    server.does(EHLO="250-mx\r\n250 AUTH PLAIN")
    assert fates(await hand_over(server, envelope)) == [Fate.REFUSED, Fate.ACCEPTED]
    assert server.talks[1].said("RCPT") == ["RCPT TO:<bob@b.c>"]
    assert server.talks[1].said("MAIL") == ["MAIL FROM:<ada@example.com>"]


async def test_a_header_outside_ascii_goes_nowhere_without_smtputf8(server: ScriptedServer):
    server.does(EHLO="250-mx\r\n250 AUTH PLAIN")
    envelope = Envelope(sender="a@b.c", recipients=("bob@b.c",), needs_smtputf8=True)
    assert fates(await hand_over(server, envelope, "Subject: ü\r\n\r\n".encode())) == [Fate.REFUSED]


async def test_eight_bit_bodies_are_announced(server: ScriptedServer):
    await hand_over(server, mime="Subject: x\r\n\r\nü\r\n".encode())
    assert "BODY=8BITMIME" in server.talks[0].said("MAIL")[0]


# --- Until a message may be begun -------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "does", "error"),
    [
        ("greeting", Does.CUT, Disconnected),
        ("greeting", Does.CLOSE, Disconnected),
        ("greeting", Does.SILENCE, TimedOut),
        ("greeting", "HTTP/1.1 400 Bad Request", Garbled),
        ("greeting", "554 5.7.1 go away", NotServed),
        ("greeting", "421 4.3.2 busy", NotServed),
        ("EHLO", Does.CUT, Disconnected),
        ("EHLO", Does.SILENCE, TimedOut),
        ("EHLO", "421 4.3.2 busy", NotServed),
        ("AUTH", Does.CUT, Disconnected),
        ("AUTH", Does.SILENCE, TimedOut),
        ("AUTH", "535 5.7.8 wrong", AuthFailed),
        ("AUTH", "454 4.7.0 later", AuthUnavailable),
        ("AUTH", "421 4.7.0 enough", Disconnected),
    ],
)
async def test_a_server_that_does_not_let_us_in_is_told_by_its_error(
    server: ScriptedServer, phase: str, does: str | Does, error: type[SubmitError]
):
    server.does(**{phase: does})
    with pytest.raises(error) as raised:
        await hand_over(server)
    assert type(raised.value) is error
    if isinstance(does, str) and error is not Garbled:
        assert raised.value.reply is not None
        assert raised.value.words == does[does.rindex(".") + 3 :]


async def test_a_wrong_password_is_tried_once(server: ScriptedServer):
    server.does(AUTH="535 5.7.8 wrong")
    with pytest.raises(AuthFailed):
        await hand_over(server)
    assert len(server.talks[0].said("AUTH")) == 1


async def test_a_mechanism_that_is_switched_off_is_passed_over(server: ScriptedServer):
    server.does(AUTH__LOGIN="504 5.5.4 no such mechanism", AUTH__PLAIN="235 2.7.0 ok")
    assert fates(await hand_over(server)) == [Fate.ACCEPTED, Fate.ACCEPTED]


async def test_on_an_open_line_the_password_is_not_shown_if_there_is_another_way(
    server: ScriptedServer,
):
    challenge = base64.b64encode(b"<1896.697170952@mx.example>")
    server.does(
        EHLO="250-mx\r\n250 AUTH PLAIN LOGIN CRAM-MD5", AUTH__CRAM=f"334 {challenge.decode()}"
    )
    digest = hmac.new(b"secret", base64.b64decode(challenge), "md5").hexdigest()
    answer = base64.b64encode(f"ada {digest}".encode()).decode()
    server.script[answer] = "235 2.7.0 welcome"
    assert fates(await hand_over(server)) == [Fate.ACCEPTED, Fate.ACCEPTED]
    assert server.talks[0].commands[1:3] == ["AUTH CRAM-MD5", answer]


async def test_a_server_that_offers_cram_md5_it_cannot_serve_is_signed_in_to(
    server: ScriptedServer,
):
    server.does(EHLO="250-mx\r\n250 AUTH PLAIN CRAM-MD5", AUTH__CRAM="535 5.7.8 I only know hashes")
    assert fates(await hand_over(server)) == [Fate.ACCEPTED, Fate.ACCEPTED]


async def test_a_server_without_auth_does_not_get_an_accounts_mail(server: ScriptedServer):
    server.does(EHLO="250 mx")
    with pytest.raises(AuthNotOffered):
        await hand_over(server)


async def test_an_account_without_a_username_does_not_sign_in(server: ScriptedServer):
    server.does(EHLO="502 5.5.1 what?")
    delivery = await hand_over(server, endpoint=endpoint_of(server, username=""))
    assert fates(delivery) == [Fate.ACCEPTED, Fate.ACCEPTED]
    assert [line.split()[0] for line in server.talks[0].commands[:3]] == ["EHLO", "HELO", "MAIL"]


async def test_nobody_listening_and_no_name_say_so(server: ScriptedServer):
    for endpoint, code in (
        (endpoint_of(server, port=1), "connect_refused"),
        (endpoint_of(server, host="no-such-host.invalid"), "name_not_found"),
        (endpoint_of(server, host="10.0.0.1"), "address_refused"),
    ):
        with pytest.raises(NotReached) as raised:
            await hand_over(server, endpoint=endpoint)
        assert raised.value.code == code


# --- Protected lines --------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(tmp_path))
    return context


STARTTLS = "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_message_goes_over_a_protected_line(tls: ssl.SSLContext, security: Security):
    implicit = security is Security.TLS
    async with ScriptedServer(tls).running(implicit_tls=implicit) as server:
        server.does(EHLO=STARTTLS, STARTTLS="220 2.0.0 go on")
        delivery = await hand_over(
            server, mime=BIG, endpoint=endpoint_of(server, security=security)
        )
        assert fates(delivery) == [Fate.ACCEPTED, Fate.ACCEPTED]
        assert server.messages == [BIG]
        assert server.talks[0].protected is not implicit
        names = [line.split()[0] for line in server.talks[0].commands]
        before_auth = ["EHLO"] if implicit else ["EHLO", "STARTTLS", "EHLO"]
        assert names[: len(before_auth) + 1] == [*before_auth, "AUTH"]
        assert "AUTH PLAIN" in server.talks[0].said("AUTH")[0]


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_certificate_that_cannot_be_trusted_ends_the_talk_before_the_password(
    tls: ssl.SSLContext, security: Security
):
    async with ScriptedServer(tls).running(implicit_tls=security is Security.TLS) as server:
        server.does(EHLO=STARTTLS, STARTTLS="220 2.0.0 go on")
        endpoint = endpoint_of(server, security=security, verify_certificate=True)
        with pytest.raises(CertificateRejected):
            await hand_over(server, endpoint=endpoint)
        assert all(talk.said("AUTH") == [] for talk in server.talks)


async def test_a_line_that_cannot_be_protected_carries_no_password(server: ScriptedServer):
    with pytest.raises(StarttlsNotOffered):
        await hand_over(server, endpoint=endpoint_of(server, security=Security.STARTTLS))
    assert server.talks[0].said("AUTH") == []

    server.does(EHLO=STARTTLS, STARTTLS="454 4.7.0 not now")
    with pytest.raises(SubmitError) as refused:
        await hand_over(server, endpoint=endpoint_of(server, security=Security.STARTTLS))
    assert refused.value.code == "tls_failed"
    assert refused.value.words == "not now"
    assert server.talks[1].said("AUTH") == []


@pytest.mark.parametrize("does", [Does.CUT, Does.SILENCE])
async def test_past_the_dot_a_protected_line_leaves_the_same_doubt(tls: ssl.SSLContext, does: Does):
    async with ScriptedServer(tls).running(implicit_tls=True) as server:
        server.does(dot=does)
        delivery = await hand_over(server, endpoint=endpoint_of(server, security=Security.TLS))
        assert fates(delivery) == [Fate.UNCERTAIN, Fate.UNCERTAIN]


async def test_plain_words_on_a_tls_port_are_no_certificate_trouble(server: ScriptedServer):
    with pytest.raises(SubmitError) as raised:
        await hand_over(server, endpoint=endpoint_of(server, security=Security.TLS))
    assert raised.value.code == "tls_failed"


# --- The production event loop ----------------------------------------------------------------


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize(
    ("differently", "expected"),
    [
        ({}, Fate.ACCEPTED),
        ({"dot": Does.CUT}, Fate.UNCERTAIN),
        ({"dot": Does.SILENCE}, Fate.UNCERTAIN),
        ({"body": Does.CUT}, Fate.DEFERRED),
        ({"body": Does.SILENCE}, Fate.DEFERRED),
        ({"body": "552 5.3.4 too large"}, Fate.REFUSED),
        ({"DATA": Does.CLOSE}, Fate.DEFERRED),
    ],
)
def test_uvloop_draws_the_line_at_the_same_place(
    tls: ssl.SSLContext, security: Security, differently: dict[str, str | Does], expected: Fate
):
    async def scenario() -> list[Fate]:
        implicit = security is Security.TLS
        async with ScriptedServer(tls).running(implicit_tls=implicit) as server:
            if security is Security.STARTTLS:
                server.does(EHLO=STARTTLS, STARTTLS="220 2.0.0 go on")
            server.does(**differently)
            return fates(
                await hand_over(server, mime=BIG, endpoint=endpoint_of(server, security=security))
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(scenario()) == [expected, expected]
