"""Who tells what, and who hears it. Streams, consumers and permissions follow from this table."""

from dataclasses import dataclass

from shared.contracts import (
    account,
    attachment,
    audit,
    draft,
    hints,
    intent,
    mail,
    oauth,
    remains,
    search,
    standing,
    submission,
    trying,
)
from shared.contracts.envelope import Command, Event, Hint, Query, Told

SERVICES = ("api", "sync", "sender", "indexer")


@dataclass(frozen=True, slots=True)
class Fact:
    """An event, the one service that tells it, and those that hear it."""

    contract: type[Event]
    voice: str
    listeners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """A command, the services that may give it, and the one that obeys."""

    contract: type[Command]
    givers: tuple[str, ...]
    obeys: str


@dataclass(frozen=True, slots=True)
class Question:
    """A query, the services that ask it, and the one that answers."""

    contract: type[Query]
    answer: type
    askers: tuple[str, ...]
    answers: str


@dataclass(frozen=True, slots=True)
class Nudge:
    """A hint between replicas or services."""

    contract: type[Hint]
    voice: str
    listeners: tuple[str, ...]


FACTS = (
    Fact(account.AccountChanged, "sync", ("api",)),
    Fact(account.AccountProgressed, "sync", ("api",)),
    Fact(account.AccountRemoved, "sync", ("api", "indexer")),
    Fact(account.AccountRetold, "sync", ("api", "indexer")),
    Fact(mail.MailboxesSynced, "sync", ("api",)),
    Fact(mail.MailboxRenumbered, "sync", ("api",)),
    Fact(audit.MailboxAudited, "sync", ("api", "indexer")),
    Fact(mail.MessagesSynced, "sync", ("api", "indexer")),
    Fact(mail.MessagesFilled, "sync", ("api", "indexer")),
    Fact(mail.MessagesRetold, "sync", ("api", "indexer")),
    Fact(mail.MessagesChanged, "sync", ("api", "indexer")),
    Fact(mail.MessagesVanished, "sync", ("api", "indexer")),
    Fact(intent.IntentSettled, "sync", ("api",)),
    Fact(account.SendingChanged, "sender", ("api",)),
    Fact(submission.SubmissionChanged, "sender", ("api",)),
    Fact(submission.SubmissionsChanged, "sender", ("api",)),
    Fact(submission.SentCopyFiled, "sync", ("sender",)),
    Fact(submission.ReportReceived, "sync", ("sender",)),
    Fact(submission.MessageSought, "sync", ("sender",)),
)

ORDERS = (
    Order(account.ConnectSync, ("api",), "sync"),
    Order(account.RemoveSync, ("api",), "sync"),
    Order(oauth.ConfigureClient, ("api",), "sync"),
    Order(account.RetellAccount, ("api", "indexer"), "sync"),
    Order(standing.PauseSync, ("api",), "sync"),
    Order(standing.ResumeSync, ("api",), "sync"),
    Order(standing.CheckSync, ("api",), "sync"),
    Order(standing.SetSyncProfile, ("api",), "sync"),
    Order(audit.AuditMailbox, ("api", "indexer"), "sync"),
    Order(intent.CarryIntent, ("api",), "sync"),
    Order(draft.KeepDraft, ("api",), "sync"),
    Order(submission.FileSentCopy, ("sender",), "sync"),
    Order(submission.FileSentCopies, ("sender",), "sync"),
    Order(submission.SeekMessage, ("sender",), "sync"),
    Order(account.ConnectSender, ("api",), "sender"),
    Order(account.RemoveSender, ("api",), "sender"),
    Order(account.HoldSender, ("api",), "sender"),
    Order(standing.SetSenderProfile, ("api",), "sender"),
    Order(submission.SendMessage, ("api",), "sender"),
    Order(submission.SendMessages, ("api",), "sender"),
    Order(submission.ChangeSuppression, ("api",), "sender"),
    Order(submission.ChangeSubmission, ("api",), "sender"),
)

QUESTIONS = (
    Question(search.SearchMessages, search.SearchAnswer, ("api",), "indexer"),
    Question(search.ExplainSearch, search.Explanation, ("api",), "indexer"),
    Question(search.SuggestPeople, search.PeopleSuggested, ("api",), "indexer"),
    Question(audit.CountSearchable, audit.SearchableAnswer, ("api",), "indexer"),
    Question(audit.ReadProofs, audit.ProofsAnswer, ("api",), "sync"),
    Question(standing.ReadStanding, standing.StandingAnswer, ("api",), "sync"),
    Question(standing.ListQuarantine, standing.QuarantineAnswer, ("api",), "sync"),
    Question(trying.TryImap, trying.TryAnswer, ("api",), "sync"),
    Question(trying.TrySmtp, trying.TryAnswer, ("api",), "sender"),
    Question(oauth.RedeemCode, oauth.Redeemed, ("api",), "sync"),
    Question(oauth.IssueToken, oauth.TokenAnswer, ("sender",), "sync"),
    Question(mail.ReadContent, mail.ContentAnswer, ("api",), "sync"),
    Question(attachment.FetchPart, attachment.PartAnswer, ("api",), "sync"),
    Question(remains.CountSyncRemains, remains.Remains, ("api",), "sync"),
    Question(remains.CountSenderRemains, remains.Remains, ("api",), "sender"),
    Question(remains.CountIndexerRemains, remains.Remains, ("api",), "indexer"),
    Question(submission.ListSuppressions, submission.SuppressionsAnswer, ("api",), "sender"),
    Question(submission.ReadSubmissionMime, submission.SubmissionMime, ("sync",), "sender"),
    Question(submission.PreviewSubmission, submission.SubmissionPreview, ("api", "sync"), "sender"),
    Question(submission.ReadUpload, submission.UploadPiece, ("sender",), "api"),
)

NUDGES = (
    Nudge(hints.LogGrew, "api", ("api",)),
    Nudge(hints.AccountsFollowed, "api", ("sync",)),
    Nudge(hints.CopyProgressed, "sync", ("indexer",)),
    Nudge(standing.AccountAsked, "sync", ("sync",)),
    Nudge(attachment.SlotWanted, "sync", ("sync",)),
)


def durable(service: str, contract: type[Told]) -> str:
    """The name of a service's consumer of a channel: `indexer-mail-messages-synced` (ADR-6)."""
    return f"{service}-{contract.channel.replace('.*', '').replace('.', '-')}"


def heard_by(service: str) -> tuple[type[Told], ...]:
    """Everything kept in a stream that this service must handle."""
    return (
        *(fact.contract for fact in FACTS if service in fact.listeners),
        *(order.contract for order in ORDERS if order.obeys == service),
    )
