"""What is asked of sync when a message has reached somebody."""

from datetime import datetime

from services.sender.domain.submission import Submission
from shared.contracts.submission import FileSentCopy


def to_file(submission: Submission, sent_at: datetime) -> FileSentCopy:
    """See to it that the message is in Sent."""
    return FileSentCopy(
        tenant_id=submission.tenant_id,
        account_id=submission.account_id,
        submission_id=submission.submission_id,
        message_id=submission.message_id,
        size_bytes=submission.size_bytes,
        sent_at=sent_at,
    )
