"""Write a file of an export while somebody fetches it: nothing of it is kept here."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from services.api.actions.read_part import read_part
from services.api.domain.file_names import safe_name
from services.api.domain.mbox import Mbox
from services.api.domain.refusals import (
    AttachmentUnavailable,
    AttachmentUnreadable,
    ExportLinkInvalid,
    MessageGone,
    NotFound,
    Refused,
)
from services.api.domain.zipping import Zip
from services.api.store import exports, people
from services.api.store.exports import Export, ExportedMessage, Volume
from shared.bus import Bucket, Bus
from shared.bus.bucket import Key
from shared.contracts.attachment import WHOLE_MESSAGE
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.db import Pool, tenant_reading

_TRIES = 5  # for one message, before the download is broken off: it can be asked for again
_LONGEST_SUBJECT = 60


@dataclass(frozen=True, slots=True)
class Packed:
    """A file as it comes, and what it is called."""

    name: str
    content: AsyncGenerator[bytes]


async def pack_export(
    pool: Pool, request_pool: Pool, bus: Bus, bucket: Bucket, export_id: UUID, number: int
) -> Packed:
    """File 0 tells of everything but mail; each other one is a volume of messages.

    What its person may see by now counts, and not what they might when it began. Raises
    ExportLinkInvalid, NotFound.
    """
    now = datetime.now(UTC)
    async with pool.acquire() as connection:
        export = await exports.by_id(connection, export_id, now)
        access = export and await people.access_of_member(
            connection, tenant_id=export.tenant_id, person_id=export.person_id
        )
    if export is None or access is None or access.suspended:
        raise ExportLinkInvalid
    caller = Caller(
        tenant_id=export.tenant_id,
        account_ids=tuple(set(access.account_ids) & set(export.account_ids)),
        person_id=export.person_id,
    )
    name = f"postbus-{export.created_at:%Y-%m-%d}-{number:03d}.zip"
    async with tenant_reading(request_pool, caller) as connection:
        if number == 0:
            belongings = await exports.belongings(
                connection, caller.tenant_id, export.person_id, caller.account_ids
            )
            return Packed(name, _described(export, msgspec.json.encode(belongings)))
        volume = await exports.volume(connection, caller.tenant_id, export_id, number)
        if volume is None:
            raise NotFound
        messages = await exports.messages_of(connection, caller.tenant_id, volume)
    return Packed(name, _Packer(bus, bucket, caller, export, volume).pack(messages))


async def _described(export: Export, belongings: bytes) -> AsyncGenerator[bytes]:
    archive = Zip()
    yield archive.begin("data.json", export.created_at)
    yield archive.write(belongings)
    yield archive.end_file()
    yield archive.end()


@dataclass(frozen=True, slots=True)
class _Packer:
    bus: Bus
    bucket: Bucket
    caller: Caller
    export: Export
    volume: Volume

    async def pack(self, messages: list[ExportedMessage]) -> AsyncGenerator[bytes]:
        archive = Zip()
        index: list[bytes] = []
        lacking: list[bytes] = []
        write = self._mboxes if self.export.format == "mbox" else self._files
        async for data in write(archive, messages, index, lacking):
            yield data
        for name, lines in (("messages", index), ("lacking", lacking)):
            if lines or name == "messages":
                yield archive.begin(
                    f"{name}-{self.volume.number:03d}.jsonl", self.export.created_at
                )
                for line in lines:
                    yield archive.write(line)
                yield archive.end_file()
        yield archive.end()

    async def _mboxes(
        self,
        archive: Zip,
        messages: list[ExportedMessage],
        index: list[bytes],
        lacking: list[bytes],
    ) -> AsyncGenerator[bytes]:
        """One file for each mailbox, its messages one after the other."""
        mbox, open_name = Mbox(), None
        for message in messages:
            name = f"{_folder(message)}-{self.volume.number:03d}.mbox"
            content = self._read(message)
            try:
                first = await anext(content, b"")
            except (MessageGone, NotFound, AttachmentUnreadable) as error:
                lacking.append(_line(message, None, error))
                continue
            if name != open_name:
                if open_name is not None:
                    yield archive.end_file()
                yield archive.begin(name, self.export.created_at)
                open_name = name
            yield archive.write(mbox.begin(message.sender_email, message.received_at))
            yield archive.write(mbox.write(first))
            async for data in content:
                yield archive.write(mbox.write(data))
            yield archive.write(mbox.end())
            index.append(_line(message, name))
        if open_name is not None:
            yield archive.end_file()

    async def _files(
        self,
        archive: Zip,
        messages: list[ExportedMessage],
        index: list[bytes],
        lacking: list[bytes],
    ) -> AsyncGenerator[bytes]:
        """One file for each message, byte for byte as its server has it."""
        for message in messages:
            content = self._read(message)
            try:
                first = await anext(content, b"")
            except (MessageGone, NotFound, AttachmentUnreadable) as error:
                lacking.append(_line(message, None, error))
                continue
            subject = safe_name(message.subject[:_LONGEST_SUBJECT], "message")
            name = (
                f"{_folder(message)}/{message.received_at.astimezone(UTC):%Y-%m-%d} {subject}"
                f" {shown(Kind.MESSAGE, message.message_id)[-8:]}.eml"
            )
            yield archive.begin(name, message.received_at)
            yield archive.write(first)
            async for data in content:
                yield archive.write(data)
            yield archive.end_file()
            index.append(_line(message, name))

    async def _read(self, message: ExportedMessage) -> AsyncGenerator[bytes]:
        """The message's bytes; where its server is away for a moment, a little later."""
        key = Key(self.volume.account_id, message.message_id, WHOLE_MESSAGE)
        tries = 0
        while True:
            begun = False
            try:
                async for data in read_part(self.bus, self.bucket, self.caller, key, None, None):
                    begun = True
                    yield data
            except AttachmentUnavailable as error:
                tries += 1
                if begun or tries >= _TRIES:
                    raise
                await asyncio.sleep(error.retry_after_seconds or 1)
            else:
                return


def _folder(message: ExportedMessage) -> str:
    parts = [safe_name(part, "_") for part in message.mailbox.split("/")]
    return "/".join(parts)


def _line(message: ExportedMessage, file: str | None, error: Refused | None = None) -> bytes:
    said = {
        "id": shown(Kind.MESSAGE, message.message_id),
        "thread_id": message.thread_id and shown(Kind.THREAD, message.thread_id),
        "mailbox": message.mailbox,
        "file": file,
        "keywords": message.keywords,
        "labels": message.labels,
        "received_at": message.received_at,
        "subject": message.subject,
        "from": message.sender_email,
        "message_id": message.rfc_message_id,
    }
    if error is not None:
        said |= {"reason": error.code}
    return msgspec.json.encode(said) + b"\n"
