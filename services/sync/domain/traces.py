"""What a kept message shows about another one: that it was sent, or nothing."""

from shared.contracts.mail import Content, MailboxRole
from shared.contracts.submission import TraceKind

_DRAFT = "\\Draft"


def trace_of(
    content: Content,
    role: MailboxRole | None,
    keywords: frozenset[str],
    sought: str,
    *,
    copy_is_ours: bool,
) -> TraceKind | None:
    """Whether this is the message that is sought, in a place where only a server puts it, or
    speaks of it.

    A draft shows nothing, nor does a copy that we put there ourselves, nor an answer of our own.
    """
    if content.report is not None and content.report.about == sought:
        return TraceKind.REPORT
    drafted = role is MailboxRole.DRAFTS or _DRAFT in keywords
    if content.message_id == sought:
        if copy_is_ours or drafted:
            return None
        return TraceKind.SENT_COPY if role is MailboxRole.SENT else TraceKind.COPY
    answers = sought in content.in_reply_to or sought in content.references
    if answers and not drafted and role is not MailboxRole.SENT:
        return TraceKind.REPLY
    return None
