"""From what was asked for to the bytes that are sent: gather the files, then compose."""

import asyncio
from datetime import datetime
from uuid import UUID

from services.sender.domain.body import File
from services.sender.domain.compose import Composed, Letter, Unsendable, compose
from services.sender.domain.raw import fit_to_send
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.submission import (
    LARGEST_MESSAGE_BYTES,
    Enclosure,
    ReadUpload,
    SendMessage,
    UploadPiece,
)

_AT_ONCE = 4  # pieces asked for


class NotGathered(Exception):
    """The files cannot be had now."""


def needs_files(command: SendMessage) -> bool:
    return bool(command.enclosures or command.raw)


async def composed_of(
    command: SendMessage, bus: Bus, *, now: datetime, draft_message_id: str | None = None
) -> Composed:
    """The message with all that belongs to it; raises Unsendable, NotGathered."""
    files = [await _gathered(command, one, bus) for one in command.enclosures]
    if command.raw is not None:
        raw = await _gathered(command, command.raw, bus)
        return await asyncio.to_thread(
            fit_to_send,
            raw.data,
            submission_id=command.submission_id,
            sender=command.sender,
            people=(*command.to, *command.cc, *command.bcc),
            now=now,
        )
    letter = letter_of(command, *files, draft_message_id=draft_message_id)
    return await asyncio.to_thread(compose, letter, now=now)


def letter_of(command: SendMessage, *files: File, draft_message_id: str | None = None) -> Letter:
    return Letter(
        submission_id=command.submission_id,
        sender=command.sender,
        to=command.to,
        cc=command.cc,
        bcc=command.bcc,
        subject=command.subject,
        text=command.text,
        html=command.html,
        to_groups=command.to_groups,
        cc_groups=command.cc_groups,
        reply_to=command.reply_to,
        in_reply_to=command.in_reply_to,
        references=command.references,
        headers=tuple((field.name, field.value) for field in command.headers),
        priority=command.priority,
        read_receipt_to=command.read_receipt_to,
        files=files,
        draft_message_id=draft_message_id,
    )


async def _gathered(command: SendMessage, enclosure: Enclosure, bus: Bus) -> File:
    """A file, asked of the api some pieces at a time."""
    if enclosure.size_bytes > LARGEST_MESSAGE_BYTES:
        raise Unsendable("message_too_large", f"{enclosure.name} is too large to be sent")
    caller = Caller(tenant_id=command.tenant_id, account_ids=(command.account_id,))
    pieces: list[bytes] = []
    while True:
        asked = range(len(pieces), len(pieces) + _AT_ONCE)
        came = await asyncio.gather(
            *(_piece(bus, caller, enclosure.upload_id, number) for number in asked)
        )
        data = [piece for piece in came if piece is not None]
        pieces += data
        if len(data) < len(came):
            break
    if not pieces and enclosure.size_bytes:
        raise Unsendable("attachment_missing", f"{enclosure.name} is not there any more")
    return File(
        name=enclosure.name,
        content_type=enclosure.content_type,
        data=b"".join(pieces),
        content_id=enclosure.content_id,
        inline=enclosure.inline,
    )


async def _piece(bus: Bus, caller: Caller, upload_id: UUID, number: int) -> bytes | None:
    try:
        answer = await bus.ask(
            ReadUpload(caller=caller, upload_id=upload_id, piece=number), UploadPiece
        )
    except NoAnswer as error:
        raise NotGathered(str(error)) from error
    return answer.data
