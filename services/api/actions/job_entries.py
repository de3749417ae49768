"""What the log says of a job, as it stands."""

from datetime import datetime
from uuid import UUID

from services.api.domain import logbook
from services.api.domain.logbook import Entry
from services.api.store.jobs import Job


def entry_of(tenant_id: UUID, job: Job, *, event_id: UUID, occurred_at: datetime) -> Entry:
    """That it came further or, by the state it is in, that it ended."""
    return logbook.of_job(
        "progressed" if job.state == "pending" else job.state,
        tenant_id=tenant_id,
        account_id=job.account_id,
        job_id=job.job_id,
        event_id=event_id,
        occurred_at=occurred_at,
        more={
            "state": job.state,
            "total": job.total,
            "done": job.done,
            "failed": job.failed,
            "reason": job.reason,
            "server_said": job.server_said and job.server_said[:500],
        },
    )
