"""Files of other messages, and drafts of other programs, taken into what is written here."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from services.api.actions.composing import sender_of
from services.api.actions.keep_upload import keep_upload
from services.api.actions.read_message import read_message
from services.api.actions.read_part import read_part
from services.api.domain.file_names import attachment_name, safe_name
from services.api.domain.identities import default_of, with_address
from services.api.domain.refusals import NotFound, TooLong
from services.api.domain.writing import Attached, Written, readable_ids
from services.api.store import accounts, changeable, identities
from services.api.store.reading import ShownMessage
from shared.bus import Bucket, Bus
from shared.bus.bucket import Key
from shared.contracts.attachment import WHOLE_MESSAGE
from shared.contracts.content import Priority
from shared.contracts.envelope import Caller
from shared.contracts.mail import Attachment, MailboxRole
from shared.contracts.submission import LARGEST_MESSAGE_BYTES
from shared.db import Pool, tenant_reading

#: What HTML can name by `cid:`.
CONTENT_ID = re.compile(r"[^\s<>\x00-\x1f\x7f-\U0010ffff]{1,250}")
_PRIORITIES = (Priority.HIGH, Priority.LOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, and with what: files become uploads of theirs."""

    pool: Pool  # acts for callers
    bus: Bus
    bucket: Bucket
    caller: Caller
    person_id: UUID
    most_unused_bytes: int

    async def upload(self, name: str, content_type: str, content: AsyncGenerator[bytes]) -> UUID:
        """Keep this file; raises what `keep_upload` raises."""
        kept = await keep_upload(
            self.pool,
            self.caller,
            self.person_id,
            name=name,
            declared_type=content_type,
            content=content,
            most_unused_bytes=self.most_unused_bytes,
        )
        return kept.upload_id

    async def passed_on(self, message: ShownMessage, part: Attachment) -> Attached:
        """An attachment of another message, fetched from its server to be sent again."""
        if part.size_bytes > LARGEST_MESSAGE_BYTES:
            raise TooLong(pointers=("/forward_of",))
        name = attachment_name(part.name, part.number, part.content_type)
        fetched = self._fetched(message, part.number)
        content_id = (part.content_id or "").strip("<> ")
        return Attached(
            upload_id=await self.upload(name, part.content_type, fetched),
            content_id=content_id if CONTENT_ID.fullmatch(content_id) else None,
            inline=part.inline,
        )

    async def attached_whole(self, message: ShownMessage) -> Attached:
        """Another message as it came, to go with what is written."""
        if message.size_bytes > LARGEST_MESSAGE_BYTES:
            raise TooLong(pointers=("/forward_of",))
        name = f"{safe_name(message.subject, 'message')}.eml"
        content = self._fetched(message, WHOLE_MESSAGE)
        return Attached(upload_id=await self.upload(name, "message/rfc822", content))

    def _fetched(self, message: ShownMessage, part: int) -> AsyncGenerator[bytes]:
        key = Key(message.account_id, message.message_id, part)
        return read_part(self.bus, self.bucket, self.caller, key, None, None)

    async def made_elsewhere(self, message_id: UUID) -> tuple[UUID, Written]:
        """A draft that another program made, as it is written on here; and of which account.

        Raises NotFound for a message that is in no mailbox for drafts.
        """
        message, content = await read_message(self.pool, self.bus, self.caller, message_id)
        tenant_id = self.caller.tenant_id
        async with tenant_reading(self.pool, self.caller) as connection:
            mailbox = message.mailbox_id and await changeable.mailbox(
                connection, tenant_id, message.mailbox_id
            )
            account = await accounts.by_id(connection, tenant_id, message.account_id)
            if not mailbox or mailbox.role != MailboxRole.DRAFTS or account is None:
                raise NotFound("There is no such message in a mailbox for drafts.")
            ours = await identities.of_account(connection, tenant_id, account)
        details, sender = message.details, sender_of(message)
        named = with_address(ours, sender.email) if sender is not None else None
        return message.account_id, Written(
            identity_id=(named or default_of(ours)).identity_id,
            to=details.to,
            cc=details.cc,
            bcc=details.bcc,
            reply_to=details.reply_to,
            subject=message.subject,
            text=content.text,
            html=content.html,
            attached=tuple([await self.passed_on(message, one) for one in details.attachments]),
            priority=details.priority if details.priority in _PRIORITIES else None,
            kept_in_reply_to=readable_ids(details.in_reply_to),
            kept_references=readable_ids(details.references),
        )
