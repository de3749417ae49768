"""See that sent messages are in Sent exactly once: look first, append only what is absent."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.sync.actions.filing import NotFiled, mailbox_for
from services.sync.imap.session import Session
from services.sync.store import sent_copies, servers
from services.sync.store.accounts import Account
from services.sync.store.sent_copies import SentCopy
from shared.bus import Bus, NoAnswer, tell
from shared.contracts.envelope import Caller
from shared.contracts.mail import MailboxRole
from shared.contracts.submission import ReadSubmissionMime, SentCopyFiled, SubmissionMime
from shared.db import Pool

_PATIENCE = timedelta(seconds=60)
_LOOK_AGAIN = timedelta(seconds=5)


async def file_sent_copies(
    copies: Sequence[SentCopy], account: Account, session: Session, bus: Bus, pool: Pool
) -> None:
    """File these copies of one account; raises NotFiled, ImapError for what stays due.

    A server that files what is sent by itself is given a minute to do it, or there would be two. A
    crash between APPEND and our note of it is harmless: the next look finds the message.
    """
    sent = await mailbox_for(MailboxRole.SENT, account.account_id, pool)
    async with pool.acquire() as connection:
        server = await servers.learnt(
            connection, account.account_id, account.endpoint.host, account.version
        )
    is_awaited = server.files_by_itself
    await session.select(sent.raw_name, readonly=True)
    for copy in copies:
        appended = False
        if not await session.search_message_id(copy.message_id):
            look_again = datetime.now(UTC) + _LOOK_AGAIN
            if is_awaited and look_again < copy.sent_at + _PATIENCE:
                async with pool.acquire() as connection:
                    await sent_copies.wait(
                        connection, [copy.submission_id], look_again, "the server files it"
                    )
                continue
            raw = await _mime(copy, bus)
            async with pool.acquire() as connection:
                await sent_copies.put_appending(connection, copy.submission_id)
            await session.append(sent.raw_name, raw, flags=["\\Seen"], date=copy.sent_at)
            appended = True
        async with pool.acquire() as connection, connection.transaction():
            is_ours = await sent_copies.put_filed(connection, copy.submission_id)
            if not is_ours or is_awaited:
                await servers.note_filing(connection, account, files_sent=not is_ours)
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
