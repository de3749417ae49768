"""Why the api does not do what it was asked to.

Refused
├── NotFound            not there, or not this caller's to see
├── SignInRefused       address or password is wrong
├── TokenRefused        a token that is not good (any more)
├── AddressUnverified   somebody who has not shown that their address is theirs
├── NotPermitted        a role or a token that does not reach so far
├── ForeignOrigin       a cookie, sent along by another site
├── QuotaReached        a tenant that has all it may have
├── ChangedMeanwhile    what somebody else has changed since it was read
├── LinkInvalid         a link that we did not send, or not lately, or that was followed
├── ReturnUrlRefused    where a tenant has not said that people may be led
├── ProviderUnknown     an OAuth2 provider that nobody has configured
├── SystemMailOff       a Postbus that cannot write to people by itself
├── InvitationInvalid   a link that nobody was sent, or not lately, or that was followed
├── ProofUnavailable    what is left of somebody cannot be counted now
├── TenantSuspended     a tenant that the operator has shut for now
├── LastOwner           a tenant that would be nobody's
├── PasswordWrong       somebody signed in who does not know the password
├── RegistrationClosed  nobody may register here
├── AddressTaken        somebody has registered with this address
├── SecretRequired      where a password goes is changed without giving the password again
├── PlaintextRefused    a password would travel unprotected
├── KeyReused           an Idempotency-Key with another request
├── KeyInUse            an Idempotency-Key whose request is under way
├── TooLong             a message larger than the bus carries
├── IdentityTaken       an address that is among an account's identities already
├── IdentityFixed       the account's own identity, which stays
├── SenderNotAllowed    an address that is not among an account's identities
├── CannotUnsend        a message that is on its way
├── SubmissionSettled   a submission that has ended
├── SubmissionSent      a submission that was begun, and cannot be put off
├── SubmissionPending   a submission that is still being sent
├── MayArriveTwice      a message that may have arrived
├── MessageForgotten    a message whose bytes are not kept any more
├── ExpiresBefore       a message that would be sent when its time is over
├── PreviewUnavailable  what a message would be cannot be said now
├── NobodyToSendTo      a draft without recipients
├── SendingUnavailable  what sender knows cannot be said now
├── CursorInvalid       a cursor we did not give
├── CursorExpired       a cursor older than what the log still keeps
├── LogRestarted        a cursor of the log as it was before a restore
├── QueryInvalid        a search query that cannot be read
├── SearchNameTaken     a saved search with a name that another one has
├── SavedSearchesFull   more saved searches than anybody keeps apart
├── ExportLinkInvalid   a link to a file of an export that we did not write, or that ended
├── ExportsFull         more exports than anybody fetches
├── ImageLinkInvalid    a link to an image that we did not write, or not lately
├── ImageUnavailable    nothing came from there that is an image
├── NoOneClick          a message whose list cannot be left by one request
├── ListNotLeft         a list did not say that it was left
├── ContentUnavailable  the message's words cannot be had now
├── AttachmentUnavailable  what is on the mail server cannot be had now
├── AttachmentUnreadable   what is on the mail server cannot be taken apart
├── MessageGone         the server has the message no longer
├── RangeNotThere       a range of bytes that there are not
├── FormBroken          a form that breaks off, or is not as its boundary says
├── UploadInUse         an upload that a draft or a submission needs
├── UploadsFull         too much was uploaded that nothing uses
├── SearchUnavailable   nothing can be found now
├── TestUnavailable     whether an account works cannot be tried now
├── SyncUnavailable     how an account stands cannot be said now
├── TooLateToUndo       what was asked for too long ago to be undone
├── AlreadyUndone       what somebody has undone already
├── NoTrash             an account that has no mailbox for what is deleted
├── MailboxFixed        a mailbox that nobody renames or removes
├── PathTaken           a mailbox with a path that another one has
├── EndpointRefused     a webhook's address that we would not send to
├── TooManyWebhooks     a tenant has as many webhooks as it may have
├── TooManyAttempts     slow down: somebody guesses
├── TooManyRequests     slow down: more than one may ask
│   └── TooManyOfTenant  all people and programs of a tenant together
└── TooManyReaders      a tenant follows its log too often at once

The docstring is the message; `code` is the stable name that programs go by.
"""

from typing import ClassVar


class Refused(Exception):
    """This cannot be done."""

    code: ClassVar[str]

    def __init__(
        self,
        detail: str | None = None,
        *,
        pointers: tuple[str, ...] = (),
        position: int | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        self.detail = detail or (self.__doc__ or "")
        self.pointers = pointers  # JSON pointers into the request's body (RFC 6901)
        self.position = position  # in the text asked about
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.detail)


class NotFound(Refused):
    """There is nothing here with this id."""

    code = "not_found"


class SignInRefused(Refused):
    """The address or the password is wrong."""

    code = "credentials_wrong"


class TokenRefused(Refused):
    """The token is missing, malformed, expired or revoked."""

    code = "token_invalid"


class QuotaReached(Refused):
    """This tenant has all of this that it may have; ask who operates this server."""

    code = "quota_reached"


class ChangedMeanwhile(Refused):
    """This has changed since you read it; read it again."""

    code = "changed_meanwhile"


class LinkInvalid(Refused):
    """This link is not good, or not any more; ask for another one."""

    code = "link_invalid"


class ReturnUrlRefused(Refused):
    """This address is not among the tenant's `/tenant/connect-return-urls`."""

    code = "return_url_refused"


class ProviderUnknown(Refused):
    """No OAuth2 provider of this name is configured here."""

    code = "oauth_provider_unknown"


class SystemMailOff(Refused):
    """This Postbus sends no mail by itself; ask who operates it (API_SYSTEM_SMTP_HOST)."""

    code = "system_mail_off"


class InvitationInvalid(Refused):
    """This invitation is not good, or not any more; ask for another one."""

    code = "invitation_invalid"


class ProofUnavailable(Refused):
    """What is left cannot be counted at the moment."""

    code = "proof_unavailable"


class TenantSuspended(Refused):
    """This tenant is suspended; ask who operates this server."""

    code = "tenant_suspended"


class LastOwner(Refused):
    """A tenant keeps one owner at least; make somebody else one first."""

    code = "last_owner"


class PasswordWrong(Refused):
    """This is not your password."""

    code = "password_wrong"


class AddressUnverified(Refused):
    """Show first that your address is yours: follow the link that was sent to it."""

    code = "email_unverified"


class NotPermitted(Refused):
    """Your role, or this token, does not let you do this."""

    code = "not_permitted"


class ForeignOrigin(Refused):
    """A request with this cookie must come from a page of this server."""

    code = "foreign_origin"


class RegistrationClosed(Refused):
    """Registration is closed on this server."""

    code = "registration_closed"


class AddressTaken(Refused):
    """Somebody has already registered with this address."""

    code = "email_taken"


class SecretRequired(Refused):
    """Changing where or as whom to sign in needs the password again."""

    code = "secret_required"


class PlaintextRefused(Refused):
    """This Postbus does not send passwords without TLS (API_ALLOW_PLAINTEXT_PASSWORDS)."""

    code = "plaintext_password_refused"


class KeyReused(Refused):
    """This Idempotency-Key was used with another request."""

    code = "idempotency_key_reused"


class KeyInUse(Refused):
    """The request with this Idempotency-Key is being carried out."""

    code = "idempotency_key_in_use"


class TooLong(Refused):
    """The message is too large to be sent."""

    code = "message_too_large"


class IdentityTaken(Refused):
    """This address is among the account's identities already, or there are too many."""

    code = "identity_taken"


class IdentityFixed(Refused):
    """This is the account's own address, which stays among its identities."""

    code = "identity_fixed"


class SenderNotAllowed(Refused):
    """This address is not among the account's identities."""

    code = "sender_not_allowed"


class CannotUnsend(Refused):
    """The message is with the mail server, or may be: it cannot be called back."""

    code = "cannot_unsend"


class SubmissionSettled(Refused):
    """This submission has ended."""

    code = "already_settled"


class SubmissionSent(Refused):
    """This message was sent already, or is being sent."""

    code = "already_sent"


class SubmissionPending(Refused):
    """This submission is still on its way."""

    code = "not_settled"


class MayArriveTwice(Refused):
    """Nobody knows whether it arrived; say `may_arrive_twice` to send it all the same."""

    code = "may_arrive_twice"


class MessageForgotten(Refused):
    """The bytes of this message are not kept any more."""

    code = "message_forgotten"


class ExpiresBefore(Refused):
    """The message's time would be over before it is sent."""

    code = "expires_before"


class PreviewUnavailable(Refused):
    """What the message would be cannot be said at the moment."""

    code = "preview_unavailable"


class NobodyToSendTo(Refused):
    """The draft is for nobody yet."""

    code = "no_recipients"


class SendingUnavailable(Refused):
    """Whom nothing is sent to cannot be said at the moment."""

    code = "sending_unavailable"


class CursorInvalid(Refused):
    """This cursor was not given by this server."""

    code = "cursor_invalid"


class CursorExpired(Refused):
    """Events after this cursor have been forgotten; read everything anew, then go on from now."""

    code = "cursor_expired"


class LogRestarted(Refused):
    """The log was restored from a backup; read everything anew, then go on from now."""

    code = "log_restarted"


class QueryInvalid(Refused):
    """The search query cannot be read."""

    code = "query_invalid"


class SearchNameTaken(Refused):
    """You keep another search under this name."""

    code = "search_name_taken"


class SavedSearchesFull(Refused):
    """You keep 200 searches, which is all there can be."""

    code = "saved_searches_full"


class ContentUnavailable(Refused):
    """The message's text cannot be read at the moment."""

    code = "content_unavailable"


class ExportLinkInvalid(Refused):
    """This link is not good, or not any more. Look at the export again for one that is."""

    code = "export_link_invalid"


class ExportsFull(Refused):
    """There are as many exports of yours as there may be; end one, or wait until it expires."""

    code = "exports_full"


class ImageLinkInvalid(Refused):
    """This link to an image is not good, or not any more; open the message again."""

    code = "image_link_invalid"


class ImageUnavailable(Refused):
    """The image could not be fetched."""

    code = "image_unavailable"


class NoOneClick(Refused):
    """This message does not say how its list is left by one request; see `mailing_list`."""

    code = "no_one_click"


class ListNotLeft(Refused):
    """The list did not confirm that it was left; try again, or leave it as it says itself."""

    code = "list_not_left"


class AttachmentUnavailable(Refused):
    """This is on the mail server, which cannot be asked at the moment."""

    code = "attachment_unavailable"


class AttachmentUnreadable(Refused):
    """The mail server does not give this in a form that can be read."""

    code = "attachment_unreadable"


class MessageGone(Refused):
    """The message is no longer on its mail server."""

    code = "message_gone"


class RangeNotThere(Refused):
    """There are fewer bytes than the Range begins behind."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes = size_bytes


class FormBroken(Refused):
    """The form breaks off, or is not as its boundary says."""

    code = "malformed_form"


class UploadInUse(Refused):
    """A draft or a submission uses this upload."""

    code = "upload_in_use"


class UploadsFull(Refused):
    """You have uploaded too much that nothing uses yet; delete some of it, or use it."""

    code = "uploads_full"


class ImageSendersFull(Refused):
    """You have allowed the images of so many senders already; forget some, or allow a domain."""

    code = "image_senders_full"


class TooManyFound(Refused):
    """More than 100,000 messages match, too many to change at once: narrow the query."""

    code = "query_too_wide"


class SearchUnavailable(Refused):
    """Search does not answer at the moment."""

    code = "search_unavailable"


class TestUnavailable(Refused):
    """Whether this works cannot be tried at the moment."""

    code = "test_unavailable"


class SyncUnavailable(Refused):
    """How this account stands cannot be said at the moment."""

    code = "sync_unavailable"


class TooLateToUndo(Refused):
    """This was asked for too long ago to be undone."""

    code = "undo_too_late"


class AlreadyUndone(Refused):
    """This is being undone already."""

    code = "already_undone"


class NoTrash(Refused):
    """This account has no mailbox for what is deleted; destroy it, or move it elsewhere."""

    code = "no_trash"


class MailboxFixed(Refused):
    """This mailbox is the account's own and stays as it is."""

    code = "mailbox_fixed"


class MailboxNotEmpty(Refused):
    """There are messages in this mailbox by now: move them, or delete it with them."""

    code = "mailbox_not_empty"


class PathTaken(Refused):
    """There is a mailbox with this path."""

    code = "path_taken"


class EndpointRefused(Refused):
    """Events are not sent to this address: it must be https, and no private network."""

    code = "webhook_url_refused"


class TooManyWebhooks(Refused):
    """This tenant has as many webhooks as it may have."""

    code = "too_many_webhooks"


class TooManyAttempts(Refused):
    """Too many attempts; wait a while."""

    code = "too_many_attempts"


class TooManyRequests(Refused):
    """More requests than are let through; wait a while."""

    code = "rate_limited"


class TooManyOfTenant(TooManyRequests):
    """Your tenant asks more than the operator of this server lets it ask in a minute."""


class TooManyReaders(Refused):
    """Too many readers follow this log at once."""

    code = "too_many_readers"
