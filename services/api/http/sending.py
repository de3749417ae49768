"""What a caller says of a message that is to be sent, and what becomes of it before it is."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Base64Bytes, Field, model_validator

from services.api.actions.keep_upload import keep_upload
from services.api.actions.read_upload import find_upload, read_upload
from services.api.actions.submitting import Outgoing
from services.api.domain.raw_header import (
    NotAMessage,
    NotAnAddress,
    read_raw_header,
)
from services.api.domain.refusals import NotFound
from services.api.domain.writing import Written
from services.api.http.bodies import Body
from services.api.http.enclosing import Id
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.recipients import MOST_RECIPIENTS, everybody_in
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.http.writing import Composition, message_id_in, written_of
from shared.contracts.ids import Kind
from shared.contracts.submission import InDoubt

_LONGEST_UNDO_SECONDS = 3600


class Sending(Body):
    """When a message is to go, and to whom all the same."""

    send_at: Annotated[
        AwareDatetime | None, Field(description="Not before this moment (RFC 3339).")
    ] = None
    undo_seconds: Annotated[
        int,
        Field(ge=0, le=_LONGEST_UNDO_SECONDS, description="Held so long, and can be canceled."),
    ] = 0
    expires_at: Annotated[
        AwareDatetime | None,
        Field(description="Whoever has not got it by then does not get it."),
    ] = None
    ignore_suppressions: Annotated[
        bool, Field(description="Send also to addresses that nothing is sent to.")
    ] = False
    in_doubt: Annotated[
        Literal["hold", "retry"] | None,
        Field(description="Where it may have been sent; unset: as the account says."),
    ] = None

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.expires_at is not None:
            begins = max(datetime.now(UTC), self.send_at or datetime.now(UTC))
            if self.expires_at <= begins + timedelta(seconds=self.undo_seconds):
                raise ValueError("expires_at must be later than when it is sent.")
        return self


class NewSubmission(Composition, Sending):
    """A message to send: composed here, or brought whole."""

    account_id: Id
    raw: Annotated[
        Base64Bytes | None,
        Field(description="The whole message (RFC 5322) in base64, in place of what is composed."),
    ] = None
    raw_upload_id: Annotated[
        Id | None, Field(description="The same, uploaded. Without recipients: those it names.")
    ] = None
    dry_run: Annotated[
        bool, Field(description="Send nothing: answer 200 with what would be sent.")
    ] = False

    @property
    def is_raw(self) -> bool:
        return self.raw is not None or self.raw_upload_id is not None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.is_raw:
            own = {"account_id", "raw", "raw_upload_id", "to", "cc", "bcc", "dry_run"}
            own |= {"in_reply_to", "forward_of", *Sending.model_fields}
            if self.model_fields_set - own or None not in (self.raw, self.raw_upload_id):
                raise ValueError("A message that is brought whole is not composed as well.")
        elif self.in_reply_to is None and not everybody_in((*self.to, *self.cc, *self.bcc)):
            raise ValueError("There must be a recipient in to, cc or bcc.")
        return self


def outgoing_of(
    account_id: UUID,
    written: Written,
    sending: Sending,
    *,
    created_by: UUID,
    digest: bytes,
    idempotency_key: str | None,
) -> Outgoing:
    """A message and when it is to go."""
    undo = sending.undo_seconds
    return Outgoing(
        account_id=account_id,
        written=written,
        created_by=created_by,
        digest=digest,
        idempotency_key=idempotency_key,
        undo_until=datetime.now(UTC) + timedelta(seconds=undo) if undo else None,
        send_at=sending.send_at,
        expires_at=sending.expires_at,
        ignore_suppressions=sending.ignore_suppressions,
        in_doubt=InDoubt(sending.in_doubt) if sending.in_doubt else None,
    )


async def composed(request: Asking, account_id: UUID, data: NewSubmission) -> Written:
    """A message that is composed here, with somebody who gets it."""
    written = await written_of(request, account_id, data)
    if not written.everybody:
        raise _wrong("/to", "The message that this answers says of nobody who gets the answer.")
    return written


async def brought(request: Asking, data: NewSubmission) -> Written:
    """A message that somebody brings whole: who sends it to whom stands in it."""
    world, caller, person = world_of(request), request.user.caller, request.user.claims.person_id
    if data.raw is not None:
        pointer = "/raw"
        content = data.raw

        async def all_of_it() -> AsyncGenerator[bytes]:
            yield content

        upload = await keep_upload(
            world.request_pool,
            caller,
            person,
            name="message.eml",
            declared_type="message/rfc822",
            content=all_of_it(),
            most_unused_bytes=world.settings.uploads_unused_max_bytes,
        )
    else:
        pointer = "/raw_upload_id"
        missing = NotFound("There is no such upload.", pointers=(pointer,))
        upload_id = id_of(Kind.UPLOAD, data.raw_upload_id or "", lambda: missing)
        upload = await find_upload(world.request_pool, caller, person, upload_id)
    async with aclosing(read_upload(world.request_pool, caller, upload.upload_id)) as pieces:
        head = await anext(pieces, b"")  # of 256 KiB
    try:
        header = read_raw_header(head)
    except (NotAMessage, NotAnAddress) as wrong:
        raise _wrong(pointer, str(wrong)) from None
    given = bool(data.to or data.cc or data.bcc)
    written = Written(
        sender=header.sender,
        to=everybody_in(data.to) if given else header.to,
        cc=everybody_in(data.cc) if given else header.cc,
        bcc=everybody_in(data.bcc) if given else header.bcc,
        subject=header.subject,
        raw=upload.upload_id,
        in_reply_to=message_id_in(data.in_reply_to, "/in_reply_to"),
        forward_of=message_id_in(data.forward_of, "/forward_of"),
    )
    if not 0 < len(written.everybody) <= MOST_RECIPIENTS:
        raise _wrong(pointer, f"It must be for one to {MOST_RECIPIENTS} recipients.")
    return written


def _wrong(pointer: str, message: str) -> Invalid:
    return Invalid([FieldProblem(pointer=pointer, message=message, code="invalid")])
