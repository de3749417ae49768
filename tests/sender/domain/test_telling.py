from uuid import UUID, uuid4

from services.sender.domain.telling import pages_of
from shared.contracts.submission import (
    Fate,
    Recipient,
    SubmissionChanged,
    SubmissionsChanged,
    SubmissionState,
)


def changed(tenant_id: UUID, recipients: int = 1) -> SubmissionChanged:
    return SubmissionChanged(
        tenant_id=tenant_id,
        account_id=uuid4(),
        submission_id=uuid4(),
        revision=1,
        state=SubmissionState.QUEUED,
        message_id="1@example.org",
        recipients=(Recipient(email="bob@example.org", fate=Fate.WAITING),) * recipients,
    )


def test_one_alone_travels_alone():
    one = changed(uuid4())
    assert pages_of([one]) == [one]
    assert pages_of([]) == []


def test_a_page_is_of_one_tenant_and_nothing_is_left_out():
    ours, theirs = uuid4(), uuid4()
    changes = [changed(tenant) for tenant in (ours, theirs) * 120]
    pages = pages_of(changes)
    assert all(isinstance(page, SubmissionsChanged) for page in pages)
    told = [
        change
        for page in pages
        if isinstance(page, SubmissionsChanged)
        for change in page.changes
        if change.tenant_id == page.tenant_id
    ]
    assert {change.event_id for change in told} == {change.event_id for change in changes}
    assert len(told) == len(changes)
    assert len(pages) == 4


def test_messages_to_many_do_not_make_a_page_too_large_for_the_bus():
    tenant = uuid4()
    pages = pages_of([changed(tenant, 300), changed(tenant, 300), changed(tenant, 1000)])
    assert len(pages) == 3
