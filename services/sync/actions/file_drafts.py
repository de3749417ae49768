"""See that the mailbox for drafts has each draft once, as it was written last."""

from collections.abc import Sequence

from services.sync.actions.carrying import remove
from services.sync.actions.filing import NotFiled, mailbox_for
from services.sync.imap.session import Session
from services.sync.store import draft_copies
from services.sync.store.draft_copies import DraftCopy
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.mail import MailboxRole
from shared.contracts.submission import PreviewSubmission, SubmissionPreview
from shared.db import Pool


async def file_drafts(copies: Sequence[DraftCopy], session: Session, bus: Bus, pool: Pool) -> None:
    """File these copies of one account; raises NotFiled, ImapError for what stays due.

    The new one comes before the old ones go: whatever happens in between, what was written is
    there. A crash at any point is harmless, since each copy is looked for by its Message-ID before
    it is filed, and each that may be there from before is looked for until it is gone.
    """
    drafts = await mailbox_for(MailboxRole.DRAFTS, copies[0].account_id, pool)
    for copy in copies:
        await session.select(drafts.raw_name, readonly=False)
        if copy.message is not None and copy.message_id is not None:
            there = await session.search_message_id(copy.message_id)
            if there[1:]:
                await remove(session, there[1:])
            if not there:
                raw = await _mime(copy, bus)
                await session.append(
                    drafts.raw_name, raw, flags=["\\Draft", "\\Seen"], date=copy.told_at
                )
        for message_id in copy.older:
            if uids := await session.search_message_id(message_id):
                await remove(session, uids)
        async with pool.acquire() as connection:
            await draft_copies.put_filed(connection, copy)


async def _mime(copy: DraftCopy, bus: Bus) -> bytes:
    """The draft as a message, composed by sender and read some megabytes at a time."""
    assert copy.message is not None
    caller = Caller(tenant_id=copy.tenant_id, account_ids=(copy.account_id,))
    mime = b""
    while True:
        query = PreviewSubmission(
            caller=caller,
            message=copy.message,
            draft_message_id=copy.message_id,
            from_byte=len(mime),
            composed_at=copy.told_at,
        )
        try:
            answer = await bus.ask(query, SubmissionPreview)
        except NoAnswer as error:
            raise NotFiled(f"The draft could not be composed: {error}") from error
        if not answer.mime:
            failed = next((check.code for check in answer.checks if not check.passed), None)
            raise NotFiled(f"The draft could not be composed: {failed}")
        mime += answer.mime
        if len(mime) >= answer.size_bytes:
            return mime
