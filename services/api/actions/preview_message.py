"""What a message would be, without sending it."""

from uuid_utils.compat import uuid7

from services.api.actions.composing import message_of
from services.api.actions.submitting import Outgoing
from services.api.domain.refusals import NotFound, PreviewUnavailable
from services.api.store import accounts, identities
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.submission import PreviewSubmission, SubmissionPreview
from shared.db import Pool, tenant_transaction

_SOON_SECONDS = 5


async def preview_message(
    pool: Pool, bus: Bus, caller: Caller, outgoing: Outgoing
) -> SubmissionPreview:
    """The message as sender would send it. Raises as sending does, and PreviewUnavailable."""
    async with tenant_transaction(pool, caller) as connection:
        account = await accounts.by_id(connection, caller.tenant_id, outgoing.account_id)
        if account is None:
            raise NotFound("There is no such account.", pointers=("/account_id",))
        message = await message_of(
            connection,
            caller,
            outgoing.created_by,
            account,
            await identities.of_account(connection, caller.tenant_id, account),
            outgoing.written,
            submission_id=uuid7(),
        )
    try:
        answer = await bus.ask(PreviewSubmission(caller=caller, message=message), SubmissionPreview)
    except NoAnswer as error:
        raise PreviewUnavailable(retry_after_seconds=_SOON_SECONDS) from error
    if answer.problem is not None:
        raise PreviewUnavailable(retry_after_seconds=_SOON_SECONDS)
    return answer
