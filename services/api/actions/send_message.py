"""Hand a message to sender."""

from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

from services.api.domain import logbook
from services.api.domain.refusals import KeyReused, NotFound, TooLong
from services.api.store import accounts, log, submissions
from services.api.store.submissions import Addressed, NewSubmission, ShownSubmission
from shared.bus import TooLarge, tell
from shared.contracts.envelope import Caller
from shared.contracts.mail import Address
from shared.contracts.submission import SendMessage
from shared.db import Pool, tenant_transaction


class Outgoing(Struct, frozen=True, kw_only=True):
    """A message that somebody wrote."""

    account_id: UUID
    addressed: Addressed
    subject: str
    text: str | None
    html: str | None
    digest: bytes  # of the whole request


async def send_message(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    outgoing: Outgoing,
    *,
    idempotency_key: str | None,
) -> tuple[ShownSubmission, dict[UUID, int]]:
    """The submission; with a key that was used before, the one made then.

    Raises NotFound for the account, KeyReused, TooLong.
    """
    now = datetime.now(UTC)
    new = NewSubmission(
        submission_id=uuid7(),
        account_id=outgoing.account_id,
        created_by=person_id,
        created_at=now,
        subject=outgoing.subject,
        addressed=outgoing.addressed,
        idempotency_key=idempotency_key,
        request_digest=outgoing.digest,
    )
    async with tenant_transaction(pool, caller) as connection:
        await accounts.hold_living(connection, [(caller.tenant_id, outgoing.account_id)])
        account = await accounts.by_id(connection, caller.tenant_id, outgoing.account_id)
        if account is None:
            raise NotFound("There is no such account.", pointers=("/account_id",))
        if not await submissions.add(connection, caller.tenant_id, new):
            earlier = await submissions.by_key(
                connection, caller.tenant_id, person_id, idempotency_key or ""
            )
            if earlier is None or earlier.request_digest != outgoing.digest:
                raise KeyReused
            return earlier, {}
        command = SendMessage(
            tenant_id=caller.tenant_id,
            submission_id=new.submission_id,
            account_id=account.account_id,
            sender=Address(account.name, account.email),
            to=outgoing.addressed.to,
            cc=outgoing.addressed.cc,
            bcc=outgoing.addressed.bcc,
            subject=outgoing.subject,
            text=outgoing.text,
            html=outgoing.html,
        )
        try:
            await tell(connection, command)
        except TooLarge:
            raise TooLong from None
        kept = await submissions.by_id(connection, caller.tenant_id, new.submission_id)
        assert kept is not None, "inserted above"
        created = logbook.of_submission(
            "created",
            tenant_id=caller.tenant_id,
            account_id=account.account_id,
            submission_id=new.submission_id,
            event_id=command.event_id,
            occurred_at=now,
            more={"state": kept.state, "subject": outgoing.subject[:300]},
        )
        return kept, await log.append(connection, [created])
