"""See that sent messages are in Sent exactly once: look first, append only what is absent."""

from collections.abc import Sequence

from services.sync.actions.filing import NotFiled, mailbox_for
from services.sync.imap.session import Session
from services.sync.store import sent_copies
from services.sync.store.sent_copies import SentCopy
from shared.bus import Bus, NoAnswer, tell
from shared.contracts.envelope import Caller
from shared.contracts.mail import MailboxRole
from shared.contracts.submission import ReadSubmissionMime, SentCopyFiled, SubmissionMime
from shared.db import Pool


async def file_sent_copies(
    copies: Sequence[SentCopy], session: Session, bus: Bus, pool: Pool
) -> None:
    """File these copies of one account; raises NotFiled, ImapError for what stays due.

    A crash between APPEND and our note of it is harmless: the next look finds the message.
    """
    sent = await mailbox_for(MailboxRole.SENT, copies[0].account_id, pool)
    await session.select(sent.raw_name, readonly=True)
    for copy in copies:
        appended = False
        if not await session.search_message_id(copy.message_id):
            raw = await _mime(copy, bus)
            async with pool.acquire() as connection:
                await sent_copies.put_appending(connection, copy.submission_id)
            await session.append(sent.raw_name, raw, flags=["\\Seen"], date=copy.sent_at)
            appended = True
        async with pool.acquire() as connection, connection.transaction():
            await sent_copies.put_filed(connection, copy.submission_id)
            await tell(
                connection,
                SentCopyFiled(
                    tenant_id=copy.tenant_id,
                    account_id=copy.account_id,
                    submission_id=copy.submission_id,
                    appended=appended,
                ),
            )


async def _mime(copy: SentCopy, bus: Bus) -> bytes:
    """The submission's bytes, asked of sender piece by piece."""
    caller = Caller(tenant_id=copy.tenant_id, account_ids=(copy.account_id,))
    pieces: list[bytes] = []
    while True:
        try:
            answer = await bus.ask(
                ReadSubmissionMime(
                    caller=caller, submission_id=copy.submission_id, piece=len(pieces)
                ),
                SubmissionMime,
            )
        except NoAnswer as error:
            raise NotFiled(f"The message could not be read: {error}") from error
        if answer.problem is not None:
            raise NotFiled(f"The message could not be read: {answer.problem.code}")
        pieces.append(answer.data)
        if len(pieces) >= answer.pieces:
            return b"".join(pieces)
