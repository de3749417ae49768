"""What bodies and answers look like, for the reference."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from services.api.domain.rights import Role, Scope
from services.api.http import (
    connecting_examples,
    discovery_examples,
    examples_of_messages,
    examples_of_sending,
    webhook_examples,
)
from services.api.http.account_tests import AccountTest, ServersToTest, TestedServer
from services.api.http.accounts import (
    Accounts,
    ChangedAccount,
    NewAccount,
    Progress,
    Sending,
    Server,
    ShownAccount,
)
from services.api.http.audit import AuditPage, ShownAuditEntry
from services.api.http.auth import (
    Acceptance,
    Credentials,
    ForgottenPassword,
    Named,
    NewPassword,
    OpenedSession,
    Registration,
    Renewal,
    Tokens,
    Verification,
)
from services.api.http.bodies import Body
from services.api.http.changing import MessageBatch, MessageChanges
from services.api.http.changing_mailboxes import ChangedMailbox, NewMailbox
from services.api.http.examples_of_messages import LISTED
from services.api.http.integrity import AccountIntegrity, ShownMailboxIntegrity
from services.api.http.jobs import Jobs, ShownJob
from services.api.http.labels import KnownLabel, KnownLabels, LabelKind
from services.api.http.mailboxes import Mailbox, Mailboxes
from services.api.http.me import Belonging, ChangedMe, ChangedPassword, Me, Sessions, ShownSession
from services.api.http.members import (
    ChangedMember,
    Invitations,
    MadeInvitation,
    Members,
    NewInvitation,
    ShownInvitation,
    ShownMember,
)
from services.api.http.messages import (
    Message,
)
from services.api.http.my_settings import ChangedSettings, Settings
from services.api.http.saved_searches import (
    ChangedSavedSearch,
    NewSavedSearch,
    RecentSearch,
    RecentSearches,
    SavedSearch,
    SavedSearches,
    SuggestedPeople,
    SuggestedPerson,
)
from services.api.http.search import (
    FoundMessage,
    FoundPage,
    FoundTotal,
    Search,
    UnderstoodSearch,
    UnderstoodTerm,
)
from services.api.http.sharing import ChangedSharing, Sharing
from services.api.http.standing import (
    AccountStanding,
    Connections,
    Day,
    Quarantined,
    QuarantinePage,
    Resting,
    Total,
)
from services.api.http.suppressions import NewSuppression, ShownSuppression, SuppressionPage
from services.api.http.tenant import (
    AskedDeletion,
    AskedDeletions,
    ChangedTenant,
    Farewell,
    Share,
    ShownDeletion,
    Tenant,
    Usage,
)
from services.api.http.threads import Thread
from services.api.http.tokens import ApiToken, ApiTokens, MadeToken, NewToken
from services.api.http.uploads import Upload
from shared.contracts.account import AccountState, Security, SendingState
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import MailboxRole
from shared.contracts.search import Condition, TotalKind
from shared.contracts.submission import SuppressionReason
from shared.contracts.trying import TryStage

_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_FRIDAY = datetime(2026, 11, 27, 11, 0, tzinfo=UTC)
_ACCOUNT = shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13"))
_MAILBOX = shown(Kind.MAILBOX, UUID("01936d2f-11d2-7c04-a8e1-5b3f9d7c2e60"))
_MESSAGE = shown(Kind.MESSAGE, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b520"))
_THREAD = shown(Kind.THREAD, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b521"))
_USER = shown(Kind.USER, UUID("01936d2c-8b40-7d93-9c5e-e4a2f7b1d068"))
_TENANT = shown(Kind.TENANT, UUID("01936d2c-8b40-7d93-9c5e-e4a2f7b1d069"))
_JOB = shown(Kind.JOB, UUID("01936d34-2c5d-7e6a-8f1b-3d9a0c7e5b24"))
_LATER = "ks_…"

_SHOWN_JOB = ShownJob(
    id=_JOB,
    account_id=_ACCOUNT,
    state="pending",
    total=1,
    is_counted=True,
    done=0,
    failed=0,
    reason=None,
    server_said=None,
    undoes=None,
    undone_by=None,
    undo_until=_NOON,
    created_at=_NOON,
    updated_at=_NOON,
)

_BELONGING = Belonging(id=_TENANT, name="Ada Lovelace", role=Role.OWNER)
_TOKEN = ApiToken(
    id=shown(Kind.TOKEN, UUID("01936d30-8e12-7c3d-b5f4-1a9e7d2c6b80")),
    name="Backup at home",
    prefix="pbt_0QmXf3vK",
    scopes=["events:read", "mail:read"],
    account_ids=[_ACCOUNT],
    created_at=_NOON,
    expires_at=None,
    used_at=_NOON,
    used_from="192.0.2.17",
)

_DELETION = shown(Kind.DELETION, UUID("5a6e2f71-93b8-4c0d-8e1f-7d2c9b4a6f30"))
_ASKED_DELETION = AskedDeletion(
    id=_DELETION,
    asked_at=_NOON,
    tenant_id=_TENANT,
    user_id=None,
    proof=f"/api/v1/deletions/{_DELETION}",
)
_INVITATION = ShownInvitation(
    id=shown(Kind.INVITATION, UUID("01936d30-9b21-7d4e-8c05-2f6a1b3d4e57")),
    email="grace@example.org",
    role=Role.MEMBER,
    invited_by=_USER,
    created_at=_NOON,
    expires_at=_FRIDAY,
)

BODIES: dict[type[Body], dict[str, Any]] = {
    **webhook_examples.BODIES,
    **connecting_examples.BODIES,
    **discovery_examples.BODIES,
    MessageChanges: {"keywords": {"seen": True, "custom": {"$label1": True}}, "delete": True},
    NewSuppression: {"email": "bob@example.org", "comment": "Has left"},
    MessageBatch: {
        "query": {"mailbox_id": _MAILBOX, "unread": True},
        "change": {"keywords": {"seen": True}},
    },
    NewSavedSearch: {"name": "Unpaid", "q": "invoice is:starred", "account_ids": [_ACCOUNT]},
    ChangedSavedSearch: {"q": "invoice is:unread", "unit": "threads"},
    Search: {
        "query": {
            "all": [
                {"operator": "from", "value": "grace"},
                {"any": [{"value": "lunch"}, {"value": "annual report", "phrase": True}]},
                {"not": {"operator": "in", "value": "trash"}},
            ]
        },
        "order": "relevance",
    },
    NewMailbox: {"account_id": _ACCOUNT, "path": "Projects/Lunch"},
    ChangedMailbox: {"path": "Projects/Dinner"},
    Registration: {
        "email": "me@example.org",
        "password": "correct horse battery",
        "name": "Ada Lovelace",
    },
    Credentials: {"email": "me@example.org", "password": "correct horse battery"},
    Acceptance: {
        "token": "pbi_… of the link",
        "password": "correct horse battery",
        "name": "Grace",
    },
    ForgottenPassword: {"email": "me@example.org"},
    NewPassword: {"token": "pbl_… of the link", "password": "correct horse battery"},
    Verification: {"token": "pbl_… of the link"},
    ChangedSettings: {"time_zone": "Europe/Berlin", "density": "compact"},
    ChangedTenant: {"name": "The Analytical Society"},
    Farewell: {"password": "correct horse battery"},
    NewInvitation: {"email": "grace@example.org", "role": "member"},
    ChangedMember: {"role": "admin"},
    ChangedSharing: {"everyone": False, "members": [_USER]},
    ChangedPassword: {
        "current_password": "correct horse battery",
        "new_password": "staple of another kind",
        "end_api_tokens": True,
    },
    ChangedMe: {"name": "Ada Lovelace"},
    NewToken: {
        "name": "Backup at home",
        "scopes": ["mail:read", "events:read"],
        "account_ids": [_ACCOUNT],
        "expires_at": "2027-11-20T12:00:00Z",
    },
    Renewal: {"refresh_token": "the refresh_token you were given"},
    NewAccount: {
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "imap": {"host": "imap.example.org", "username": "ada", "password": "open sesame"},
        "smtp": {"host": "smtp.example.org", "port": 587, "security": "starttls"},
    },
    ServersToTest: {
        "imap": {"host": "imap.example.org", "username": "ada", "password": "open sesame"},
    },
    ChangedAccount: {"imap": {"host": "mail.example.org", "password": "open sesame"}},
    **examples_of_messages.BODIES,
    **examples_of_sending.BODIES,
}

_ACCOUNT_SHOWN = ShownAccount(
    id=_ACCOUNT,
    name="Ada Lovelace",
    email="ada@example.org",
    state=AccountState.SYNCING,
    reason=None,
    server_said=None,
    paused=False,
    sending=Sending(state=SendingState.READY, reason=None, server_said=None, retry_at=None),
    any_sender=False,
    oauth_provider=None,
    in_doubt="hold",
    progress=Progress(
        done=1200,
        total=5400,
        mailbox="INBOX",
        ends_at=datetime(2026, 11, 20, 12, 0, 3, tzinfo=UTC),
    ),
    imap=Server(
        host="imap.example.org",
        port=993,
        security=Security.TLS,
        username="ada",
        verify_certificate=True,
    ),
    smtp=Server(
        host="smtp.example.org",
        port=587,
        security=Security.STARTTLS,
        username="ada",
        verify_certificate=True,
    ),
    created_at=_NOON,
    updated_at=_NOON,
)
_SAVED_SEARCH = SavedSearch(
    id=shown(Kind.SAVED_SEARCH, UUID("01936d36-3b10-7e21-9d4f-8a6c5b2e1f70")),
    name="Unpaid",
    q="invoice is:starred",
    account_ids=[_ACCOUNT],
    order="newest",
    unit="messages",
    created_at=_NOON,
    updated_at=_NOON,
)

ANSWERS: tuple[Struct, ...] = (
    *webhook_examples.ANSWERS,
    *connecting_examples.ANSWERS,
    *discovery_examples.ANSWERS,
    _SHOWN_JOB,
    Jobs(jobs=[_SHOWN_JOB]),
    OpenedSession(
        user=Named(id=_USER, name="Ada Lovelace", email="me@example.org"),
        tenant=Named(id=_TENANT, name="Ada Lovelace"),
    ),
    Me(
        id=_USER,
        email="me@example.org",
        email_verified=True,
        name="Ada Lovelace",
        tenant=_BELONGING,
        tenants=[_BELONGING],
        scopes=list(Scope),
        token_id=None,
    ),
    Sessions(
        items=[
            ShownSession(
                id=shown(Kind.SESSION, UUID("01936d30-2f5b-7d11-9a7e-6c4b8d0e2f13")),
                current=True,
                client="Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                address="192.0.2.17",
                created_at=_NOON,
                used_at=_NOON,
                expires_at=_FRIDAY,
            )
        ]
    ),
    Settings(time_zone="Europe/Berlin", signature="Ada Lovelace\nLondon"),
    Usage(
        accounts=Share(used=3, limit=10),
        storage_bytes=Share(used=4_211_302_117, limit=None),
        storage_counted_at=_NOON,
        sends_per_day=Share(used=17, limit=500),
        requests_per_minute=Share(used=48, limit=6000),
    ),
    Tenant(id=_TENANT, name="Ada Lovelace", created_at=_NOON),
    _ASKED_DELETION,
    AskedDeletions(items=[_ASKED_DELETION]),
    ShownDeletion(
        id=_ASKED_DELETION.id,
        asked_at=_NOON,
        tenant_id=_TENANT,
        user_id=None,
        done=True,
        rows={"api": 0, "sync": 0, "sender": 0, "indexer": 0},
        dead_letters=0,
        backups_until=_FRIDAY,
    ),
    AuditPage(
        items=[
            ShownAuditEntry(
                id=shown(Kind.AUDIT, UUID("01936d30-ab3c-7e5f-9a16-4c8e2d6b7f91")),
                occurred_at=_NOON,
                action="token.made",
                user_id=_USER,
                token_id=None,
                address="192.0.2.17",
                request_id="019ac3c5-9d3f-7c51-b2a0-5f5d3c5f8a11",
                account_id=None,
                subject=_TOKEN.id,
                details={"name": "Backup at home", "scopes": ["events:read", "mail:read"]},
            )
        ]
    ),
    Members(
        items=[
            ShownMember(
                id=_USER,
                email="me@example.org",
                name="Ada Lovelace",
                role=Role.OWNER,
                joined_at=_NOON,
            )
        ]
    ),
    Invitations(items=[_INVITATION]),
    MadeInvitation(
        invitation=_INVITATION,
        token="pbi_… shown this once",  # noqa: S106 - none
        link="https://mail.example.org/invitation#pbi_…",
    ),
    Sharing(owner=_USER, everyone=False, members=[]),
    MadeToken(token=_TOKEN, secret="pbt_0QmX… shown this once"),  # noqa: S106 - none
    ApiTokens(items=[_TOKEN]),
    Tokens(
        access_token="eyJ…",  # noqa: S106 - nobody's
        token_type="Bearer",  # noqa: S106 - RFC 6750
        expires_in=900,
        refresh_token="the next refresh token",  # noqa: S106 - nobody's
        user=Named(id=_USER, name="Ada Lovelace", email="me@example.org"),
        tenant=Named(id=_TENANT, name="Ada Lovelace"),
    ),
    _ACCOUNT_SHOWN,
    Accounts(items=[_ACCOUNT_SHOWN]),
    AccountTest(
        ok=False,
        imap=TestedServer(
            ok=False,
            failed_at=TryStage.AUTH,
            reason="app_password_required",
            detail=None,
            server_said="Application-specific password required",
            capabilities=["AUTH=PLAIN", "IDLE", "IMAP4REV1"],
            milliseconds=312,
        ),
        smtp=None,
    ),
    AccountIntegrity(
        account_id=_ACCOUNT,
        server=5400,
        kept=5399,
        listed=5399,
        marked_deleted=2,
        searchable=5399,
        quarantined=1,
        proven_at=_NOON,
        agrees=True,
        mailboxes=[
            ShownMailboxIntegrity(
                mailbox_id=_MAILBOX,
                path="INBOX",
                server=5400,
                kept=5399,
                listed=5399,
                marked_deleted=2,
                searchable=5399,
                quarantined=1,
                proven_at=_NOON,
                agrees=True,
            )
        ],
        problems=[],
    ),
    AccountStanding(
        account_id=_ACCOUNT,
        state=AccountState.UNREACHABLE,
        reason="rate_limited",
        server_said="Request is throttled. Suggested Backoff Time: 92415 milliseconds",
        state_since=_NOON,
        paused=False,
        resting=Resting(
            until=datetime(2026, 11, 20, 12, 1, 33, tzinfo=UTC),
            reason="rate_limited",
            asked_by_server=True,
        ),
        connections=Connections(open=1, allowed=4),
        today=Day(
            bytes=180_000_000,
            bytes_allowed=2_500_000_000,
            commands=5200,
            renews_at=datetime(2026, 11, 21, tzinfo=UTC),
        ),
        first_copy_rests_until=None,
        last_check_asked_at=None,
        quarantined=1,
    ),
    QuarantinePage(
        items=[
            Quarantined(
                id=shown(Kind.QUARANTINED, UUID("01936d34-2c11-7e05-9d3a-4b8e6f0c1a27")),
                mailbox_id=_MAILBOX,
                reason="too_large",
                detail="83 MB, of at most 67 MB.",
                size_bytes=83_000_000,
                attempts=1,
                noticed_at=_NOON,
                last_tried_at=_NOON,
            )
        ],
        totals=[Total(reason="too_large", count=1)],
    ),
    Mailboxes(
        items=[
            Mailbox(
                id=_MAILBOX,
                account_id=_ACCOUNT,
                path="INBOX",
                name="INBOX",
                delimiter="/",
                role=MailboxRole.INBOX,
                selectable=True,
                subscribed=True,
                message_count=5400,
                unread_count=12,
                pending=None,
            )
        ]
    ),
    KnownLabels(
        items=[
            KnownLabel(account_id=_ACCOUNT, kind=LabelKind.LABEL, name="Family", unread_count=None),
            KnownLabel(
                account_id=_ACCOUNT, kind=LabelKind.KEYWORD, name="$label1", unread_count=None
            ),
        ]
    ),
    FoundPage(
        items=[
            FoundMessage(
                **{name: getattr(LISTED, name) for name in Message.__struct_fields__},
                snippet="Lunch on Friday: shall we?",
                snippet_html="<mark>Lunch</mark> on Friday: shall we?",
                text_is_cut=False,
            )
        ],
        total=FoundTotal(messages=1, kind=TotalKind.EXACT),
    ),
    _SAVED_SEARCH,
    SavedSearches(items=[_SAVED_SEARCH]),
    RecentSearches(items=[RecentSearch(q="invoice", searched_at=_NOON)]),
    SuggestedPeople(
        items=[
            SuggestedPerson(
                name="Grace Hopper", email="grace@example.org", sent=12, received=7, last_at=_NOON
            )
        ]
    ),
    UnderstoodSearch(
        query=Condition(
            all=(
                Condition(operator="from", value="grace"),
                Condition(value="lunch"),
            )
        ),
        terms=[
            UnderstoodTerm(operator="from", value="grace", position=0, meaning="“grace” in from"),
            UnderstoodTerm(operator=None, value="lunch", position=11, meaning="“lunch”"),
        ],
        cut_texts=3,
    ),
    Thread(id=_THREAD, items=[LISTED], is_cut=False),
    SuppressionPage(
        items=[
            ShownSuppression(
                email="bob@example.org",
                reason=SuppressionReason.BOUNCED,
                said="550 5.1.1 There is no such user here",
                submission_id=shown(Kind.SUBMISSION, UUID("01936d36-3b9c-7e21-8f4a-6c0d1e2b5a75")),
                created_at=_NOON,
            )
        ],
        next_cursor=None,
    ),
    Upload(
        id=shown(Kind.UPLOAD, UUID("01936d35-7a20-7f14-8c6b-5d2e9f3a1b48")),
        name="programme.pdf",
        content_type="application/pdf",
        size_bytes=48_211,
        used=False,
        created_at=_NOON,
    ),
    *examples_of_messages.ANSWERS,
    *examples_of_sending.ANSWERS,
)
