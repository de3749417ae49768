from datetime import UTC, datetime

import pytest

from services.sync.domain.traces import trace_of
from shared.contracts.content import Report, ReportKind
from shared.contracts.mail import Content, MailboxRole
from shared.contracts.submission import TraceKind

SOUGHT = "1@example.com"
INBOX, SENT, DRAFTS = MailboxRole.INBOX, MailboxRole.SENT, MailboxRole.DRAFTS


def content(**says: object) -> Content:
    values = {
        "subject": "Lunch",
        "sender": None,
        "received_at": datetime(2026, 1, 1, tzinfo=UTC),
        "size_bytes": 10,
    }
    return Content(**(values | says))  # type: ignore[arg-type]


IT = content(message_id=SOUGHT)
ANSWER = content(message_id="2@example.org", in_reply_to=(SOUGHT,))
LATER_ANSWER = content(message_id="3@example.org", references=(SOUGHT, "2@example.org"))
BOUNCE = content(report=Report(kind=ReportKind.DELIVERY, about=SOUGHT))
OTHER = content(message_id="9@example.org", report=Report(kind=ReportKind.DELIVERY, about="8@x"))


@pytest.mark.parametrize(
    ("kept", "role", "ours", "shows"),
    [
        (IT, SENT, False, TraceKind.SENT_COPY),
        (IT, SENT, True, None),  # we put it there
        (IT, None, True, None),  # and somebody moved it
        (IT, INBOX, False, TraceKind.COPY),
        (IT, DRAFTS, False, None),
        (ANSWER, INBOX, False, TraceKind.REPLY),
        (LATER_ANSWER, None, False, TraceKind.REPLY),
        (ANSWER, SENT, False, None),  # one may answer oneself
        (ANSWER, DRAFTS, False, None),
        (BOUNCE, INBOX, False, TraceKind.REPORT),
        (OTHER, INBOX, False, None),
    ],
)
def test_only_what_a_server_brought_shows_that_a_message_was_sent(
    kept: Content, role: MailboxRole | None, ours: bool, shows: TraceKind | None
):
    assert trace_of(kept, role, frozenset(), SOUGHT, copy_is_ours=ours) is shows


def test_a_draft_shows_nothing_wherever_it_is():
    drafted = frozenset({"\\Draft"})
    assert trace_of(IT, INBOX, drafted, SOUGHT, copy_is_ours=False) is None
