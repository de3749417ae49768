"""Handing one message over: MAIL, RCPT each, DATA, body, dot."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from aiosmtplib import SMTP

from services.sender.domain.fate import Answer, Stage
from services.sender.domain.reply import Reply, reply_of
from services.sender.smtp.errors import Disconnected, Phase, SubmitError, speaking
from services.sender.smtp.protocol import PhasedProtocol, SpokeEarly

_SIZE_DIGITS = 18  # RFC 1870 §3 allows 20; no message is so large


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Who sends to whom (RFC 5321 §2.3.1), as written on the wire."""

    sender: str
    recipients: tuple[str, ...]
    needs_smtputf8: bool = False  # of the header; addresses speak for themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the server answered about each recipient, in the order of the envelope."""

    answers: tuple[Answer, ...]
    phase: Phase  # how far it came
    problem: SubmitError | None = None


# Called between body and dot with the answers so far, None for recipients that were taken.
# What it raises ends the session with nothing handed over.
BeforeDot = Callable[[Sequence[Answer | None]], Awaitable[None]]


class Session:
    """A signed-in connection to an account's submission server, for one message after another."""

    def __init__(
        self, connection: SMTP, *, block_seconds: float, dot_seconds: float, quit_seconds: float
    ) -> None:
        self._connection = connection
        self._block_seconds = block_seconds
        self._dot_seconds = dot_seconds
        self._quit_seconds = quit_seconds
        self.messages = 0  # that the server was asked to take in this session

    @property
    def is_open(self) -> bool:
        return self._connection.is_connected

    async def reset(self) -> bool:
        """Whether the server is still there and as before the first message (RFC 5321 §4.1.1.5)."""
        try:
            reply = await self._say(Phase.RSET, "RSET")
        except SubmitError:
            return False
        return reply.code == 250

    async def quit(self) -> None:
        """Part as is proper (RFC 5321 §4.1.1.10); no message's fate depends on it any more."""
        if self._connection.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._connection.quit(timeout=self._quit_seconds)
        self.drop()

    def drop(self) -> None:
        """Let go of the line without a word."""
        self._connection.close()

    @property
    def offers(self) -> tuple[str, ...]:
        """What the server announced (RFC 5321 §4.1.1.1), with its parameters."""
        announced = self._connection.esmtp_extensions
        return tuple(sorted(f"{name} {value}".strip().upper() for name, value in announced.items()))

    @property
    def largest_bytes(self) -> int | None:
        """How large a message the server takes, where it says so (RFC 1870 §3; 0 means nothing)."""
        said = self._connection.esmtp_extensions.get("size", "")
        return int(said) or None if said.isdecimal() and len(said) <= _SIZE_DIGITS else None

    async def transact(self, envelope: Envelope, mime: bytes, before_dot: BeforeDot) -> Delivery:
        """Hand a message over, once; never raises for what the server does or says.

        Where the connection fails, the recipients that had no answer yet have silence for
        one, before or after the dot.
        """
        transaction = _Transaction(envelope, [None] * len(envelope.recipients))
        self.messages += 1
        try:
            await self._run(transaction, mime, before_dot)
        except SubmitError as problem:
            self._abort()
            answered = Answer(transaction.stage, problem.reply)
            return transaction.outcome(answered, problem)
        except BaseException:  # before_dot's, or a cancellation: no dot may follow this body
            self._abort()
            raise
        return transaction.outcome(Answer(transaction.stage), None)

    async def _run(self, transaction: "_Transaction", mime: bytes, before_dot: BeforeDot) -> None:
        envelope = transaction.envelope
        if self._refuses(transaction, mime):
            return
        transaction.phase = Phase.MAIL
        reply = await self._say(
            Phase.MAIL, f"MAIL FROM:<{envelope.sender}>", *self._parameters(envelope, mime)
        )
        if reply.code // 100 != 2:
            transaction.answer_rest(Answer(Stage.BEFORE_DOT, reply))
            return

        transaction.phase = Phase.RCPT
        for number in transaction.taken:
            reply = await self._say(Phase.RCPT, f"RCPT TO:<{envelope.recipients[number]}>")
            if reply.code // 100 != 2:
                transaction.answers[number] = Answer(Stage.BEFORE_DOT, reply)
            if reply.code == 421:  # it ends the session, whatever it was asked (RFC 5321 §3.8)
                transaction.answer_rest(Answer(Stage.BEFORE_DOT, reply))
        if not transaction.taken:
            return

        transaction.phase = Phase.DATA
        reply = await self._say(Phase.DATA, "DATA")
        if reply.code != 354:
            transaction.answer_rest(Answer(Stage.BEFORE_DOT, reply))
            return

        protocol = self._protocol(Phase.BODY)
        transaction.phase = Phase.BODY
        try:
            with speaking(Phase.BODY):
                await protocol.write_body(mime, block_seconds=self._block_seconds)
            await before_dot(transaction.answers)
            transaction.phase = Phase.DOT
            with speaking(Phase.DOT):
                protocol.write_dot()
                transaction.stage = Stage.AFTER_DOT
                response = await protocol.read_response(timeout=self._dot_seconds)
        except SpokeEarly as early:
            # Without a dot there is no message (RFC 5321 §4.1.1.4), whatever it says.
            reply = reply_of(early.response.code, early.response.message)
            transaction.answer_rest(Answer(Stage.BEFORE_DOT, reply))
            self._abort()
            return
        reply = reply_of(response.code, response.message)
        transaction.answer_rest(Answer(Stage.AFTER_DOT, reply))
        transaction.phase = Phase.DONE

    def _refuses(self, transaction: "_Transaction", mime: bytes) -> bool:
        """Whether what the server announced already says no, to everybody or to some.

        These answers are ours: the server was not asked.
        """
        envelope = transaction.envelope
        limit = self.largest_bytes
        if limit is not None and limit < len(mime):  # RFC 1870 §6.1
            words = f"The message is larger than the {limit} bytes the server takes."
            transaction.answer_rest(Answer(Stage.BEFORE_DOT, Reply(552, "5.3.4", words)))
            return True
        if not self._connection.supports_extension("smtputf8"):
            refusal = Answer(
                Stage.BEFORE_DOT,
                Reply(550, "5.6.7", "The server does not take addresses outside ASCII."),
            )
            for number, recipient in enumerate(envelope.recipients):
                header = envelope.needs_smtputf8 or not envelope.sender.isascii()
                if header or not recipient.isascii():
                    transaction.answers[number] = refusal
        return not transaction.taken

    def _parameters(self, envelope: Envelope, mime: bytes) -> list[str]:
        parameters: list[str] = []
        addresses = (envelope.sender, *envelope.recipients)
        if self._connection.supports_extension("size"):
            parameters.append(f"SIZE={len(mime)}")
        if not mime.isascii() and self._connection.supports_extension("8bitmime"):
            parameters.append("BODY=8BITMIME")
        if self._connection.supports_extension("smtputf8") and (
            envelope.needs_smtputf8 or not all(address.isascii() for address in addresses)
        ):
            parameters.append("SMTPUTF8")
        return parameters

    async def _say(self, phase: Phase, *words: str) -> Reply:
        with speaking(phase):
            response = await self._connection.execute_command(
                *(word.encode("utf-8") for word in words)
            )
        return reply_of(response.code, response.message)

    def _protocol(self, phase: Phase) -> PhasedProtocol:
        protocol = self._connection.protocol
        if not isinstance(protocol, PhasedProtocol):
            raise Disconnected(phase)
        return protocol

    def _abort(self) -> None:
        """Drop the line at once: what is still waiting to be written must not be."""
        transport = self._connection.transport
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()
        self._connection.close()


class _Transaction:
    """What is known while a message is handed over."""

    def __init__(self, envelope: Envelope, answers: list[Answer | None]) -> None:
        self.envelope = envelope
        self.answers = answers
        self.stage = Stage.BEFORE_DOT
        self.phase = Phase.EHLO

    @property
    def taken(self) -> list[int]:
        """The recipients that nothing speaks against so far."""
        return [number for number, answer in enumerate(self.answers) if answer is None]

    def answer_rest(self, answer: Answer) -> None:
        for number in self.taken:
            self.answers[number] = answer

    def outcome(self, rest: Answer, problem: SubmitError | None) -> Delivery:
        answers = tuple(answer or rest for answer in self.answers)
        return Delivery(answers=answers, phase=self.phase, problem=problem)
