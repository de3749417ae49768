"""Mail came that reports on messages sent before."""

from services.sender import store
from services.sender.domain.hearsay import after_report
from shared.bus import tell
from shared.contracts.submission import ReportReceived
from shared.db import Connection, Pool, in_transaction


async def note_reports(events: list[ReportReceived], pool: Pool) -> None:
    """Tell what bounced and what was complained of, and send nothing more where that is in vain.

    A report that comes twice changes nothing; one about a message that is not ours, neither.
    """

    async def work(connection: Connection) -> None:
        for event in events:
            about = event.report.about
            submission = about and await store.hold_named(
                connection, event.tenant_id, event.account_id, about
            )
            if not submission:
                continue
            after, shunned = after_report(submission, event.report)
            if after is submission:
                continue
            await store.put_states(connection, [after])
            await store.suppress(connection, event.tenant_id, shunned, submission.submission_id)
            await tell(connection, after.told())

    await in_transaction(pool, work)
