"""What somebody may do: the role a person has in a tenant, and the scopes that follow from it.

A session may do what its person's role lets them do. An API token may do what it was given, and
never more than the role of who made it lets them do at that moment.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Scope(StrEnum):
    """A kind of things to do. Stable: programs name them when they ask for a token."""

    MAIL_READ = "mail:read"  # lists, messages, attachments, search, jobs, submissions
    MAIL_WRITE = "mail:write"  # marks, moves, deletions, mailboxes
    MAIL_SEND = "mail:send"  # drafts, uploads, sending
    ACCOUNT_ADMIN = "account:admin"  # connect, change, share and remove mail accounts
    EVENTS_READ = "events:read"  # the event log and its ways out
    TENANT_ADMIN = "tenant:admin"  # members, invitations, audit, quotas, the tenant itself


class Role(StrEnum):
    """What a person is in a tenant."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    READ_ONLY = "read_only"


_ALL = frozenset(Scope)
SCOPES_OF: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {
        Role.OWNER: _ALL,
        Role.ADMIN: _ALL,
        Role.MEMBER: _ALL - {Scope.TENANT_ADMIN},
        Role.READ_ONLY: frozenset({Scope.MAIL_READ, Scope.EVENTS_READ}),
    }
)


def scopes_of(role: Role, given: Iterable[str] | None = None) -> frozenset[Scope]:
    """What a role lets do; of a token, what it was given of that."""
    if given is None:
        return SCOPES_OF[role]
    # A scope of a later release means nothing to this one.
    return SCOPES_OF[role] & frozenset(Scope(each) for each in given if each in _ALL)


def administers_all(role: Role) -> bool:
    """Whether also accounts of others are theirs to change, where they may see them."""
    return role in (Role.OWNER, Role.ADMIN)


def may_appoint(role: Role, other: Role) -> bool:
    """Whether somebody of this role makes others that, or ends that they are.

    Owners appoint anybody; admins appoint who is less than an owner.
    """
    return role is Role.OWNER or (role is Role.ADMIN and other is not Role.OWNER)
