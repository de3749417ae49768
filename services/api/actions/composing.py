"""From what somebody wrote to the message that sender is told to send."""

from collections.abc import Sequence
from uuid import UUID

from services.api.domain.identities import Identity, default_of, with_address
from services.api.domain.refusals import NotFound, SenderNotAllowed, TooLong
from services.api.domain.writing import Original, Written, references_to
from services.api.store import reading, uploads
from services.api.store.accounts import Account
from services.api.store.reading import ShownMessage
from shared.contracts.envelope import Caller
from shared.contracts.mail import Address
from shared.contracts.submission import LARGEST_MESSAGE_BYTES, Enclosure, SendMessage
from shared.db import Connection

_RFC822 = "message/rfc822"


async def message_of(
    connection: Connection,
    caller: Caller,
    person_id: UUID,
    account: Account,
    known: Sequence[Identity],
    written: Written,
    *,
    submission_id: UUID,
) -> SendMessage:
    """The message to send, by one of `known`. Raises NotFound, SenderNotAllowed, TooLong."""
    sender = _sender(written, account, known)
    enclosures = await _enclosures(connection, caller, person_id, written)
    raw = await _raw(connection, caller, person_id, written)
    if sum(one.size_bytes for one in enclosures) > LARGEST_MESSAGE_BYTES:
        raise TooLong(pointers=("/attachments",))
    in_reply_to, references = written.kept_in_reply_to, written.kept_references
    if written.in_reply_to is not None:
        original = await _original(connection, caller, written.in_reply_to, "/in_reply_to")
        references = references_to(original)
        in_reply_to = references[-1:] if original.message_id else ()
    elif written.forward_of is not None:
        # Passed on, it belongs to the conversation, and answers nobody.
        original = await _original(connection, caller, written.forward_of, "/forward_of")
        in_reply_to, references = (), references_to(original)
    return SendMessage(
        tenant_id=caller.tenant_id,
        submission_id=submission_id,
        account_id=account.account_id,
        sender=sender,
        to=written.to,
        cc=written.cc,
        bcc=written.bcc,
        subject=written.subject,
        text=written.text,
        html=written.html,
        to_groups=written.to_groups,
        cc_groups=written.cc_groups,
        reply_to=written.reply_to,
        in_reply_to=in_reply_to,
        references=references,
        headers=written.headers,
        priority=written.priority,
        read_receipt_to=sender if written.read_receipt else None,
        enclosures=enclosures,
        raw=raw,
    )


def _sender(written: Written, account: Account, known: Sequence[Identity]) -> Address:
    """Who writes: as named, if that is one of the account's identities, or it allows anybody."""
    if written.sender is not None:
        identity = with_address(known, written.sender.email)
        if identity is None and not account.any_sender:
            raise SenderNotAllowed(pointers=("/from",))
        name = written.sender.name or (identity.name if identity is not None else "")
        return Address(name, written.sender.email)
    if written.identity_id is None:
        return default_of(known).address
    for one in known:
        if one.identity_id == written.identity_id:
            return one.address
    raise NotFound("There is no such identity.", pointers=("/identity_id",))


async def _enclosures(
    connection: Connection, caller: Caller, person_id: UUID, written: Written
) -> tuple[Enclosure, ...]:
    found: list[Enclosure] = []
    for number, one in enumerate(written.attached):
        upload = await uploads.by_id(connection, caller.tenant_id, person_id, one.upload_id)
        if upload is None:
            raise NotFound(
                "There is no such upload.", pointers=(f"/attachments/{number}/upload_id",)
            )
        found.append(
            Enclosure(
                upload_id=upload.upload_id,
                name=one.name or upload.name,
                content_type=upload.content_type,
                size_bytes=upload.size_bytes,
                content_id=one.content_id,
                inline=one.inline,
            )
        )
    return tuple(found)


async def _raw(
    connection: Connection, caller: Caller, person_id: UUID, written: Written
) -> Enclosure | None:
    if written.raw is None:
        return None
    upload = await uploads.by_id(connection, caller.tenant_id, person_id, written.raw)
    if upload is None:
        raise NotFound("There is no such upload.", pointers=("/raw_upload_id",))
    if upload.size_bytes > LARGEST_MESSAGE_BYTES:
        raise TooLong(pointers=("/raw_upload_id",))
    return Enclosure(
        upload_id=upload.upload_id,
        name=upload.name,
        content_type=_RFC822,
        size_bytes=upload.size_bytes,
    )


async def _original(
    connection: Connection, caller: Caller, message_id: UUID, pointer: str
) -> Original:
    message = await reading.by_id(connection, caller.tenant_id, message_id)
    if message is None:
        raise NotFound("There is no such message.", pointers=(pointer,))
    return original_of(message)


def original_of(message: ShownMessage) -> Original:
    """A message as it is answered."""
    details = message.details
    return Original(
        message_id=message.rfc_message_id,
        in_reply_to=details.in_reply_to,
        references=details.references,
        sender=sender_of(message),
        reply_to=details.reply_to,
        to=details.to,
        cc=details.cc,
    )


def sender_of(message: ShownMessage) -> Address | None:
    if not message.sender_email:
        return None
    return Address(message.sender_name or "", message.sender_email)
