"""When a server says "not now" or "not so much": what it means, and for whom.

RFC 5530 has response codes for some of it, and large providers have sentences of their own. None
of them says that a password is wrong, and a wrong password is never one of them: whoever mixes
the two asks a person for a password that is right, or knocks on until the account is locked.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.dial.providers import Quirk, provider_of_host

_DAY_SECONDS = 24 * 3600.0


class LimitKind(StrEnum):
    """What there is too much of."""

    CONNECTIONS = "connections"  # at the same time
    BANDWIDTH = "bandwidth"  # bytes in an hour or a day
    COMMANDS = "commands"  # commands, or sign-ins, in a while
    BUSY = "busy"  # nothing of ours: the server cannot at the moment
    QUOTA = "quota"  # the mailbox is full; reading goes on
    IN_USE = "in_use"  # somebody else holds the mailbox


class Scope(StrEnum):
    """Who has to wait."""

    ACCOUNT = "account"
    HOST = "host"  # everybody here who uses this server


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A server wants us to wait, or to do less."""

    kind: LimitKind
    scope: Scope = Scope.ACCOUNT
    retry_after_seconds: float | None = None  # what the server asked for


def limit_of(code: str | None, text: str, host: str) -> Limit | None:
    """The limit that an answer speaks of; None when it speaks of something else.

    `code` is the response code without its arguments, `text` what follows it, of a tagged or
    untagged OK, NO, BAD or BYE. What a sentence says outweighs its code: codes are the same for
    a bandwidth that is spent and a mailbox that is full.
    """
    code = code.upper() if code else None
    if code in _OF_CREDENTIALS or _ABOUT_CREDENTIALS.search(text):
        return None
    for phrase in _PHRASES:
        if phrase.pattern.search(text) and (phrase.of is None or _is_of(host, phrase.of)):
            return _limit(phrase.kind, phrase.scope, text, host)
    if code is None and (written := _CODE_IN_TEXT.search(text)):
        code = written[1].upper()
    if code == "OVERQUOTA" and _is_of(host, _GMAIL):
        return _limit(LimitKind.BANDWIDTH, Scope.ACCOUNT, text, host)
    if code == "LIMIT" and _ABOUT_SIZE.search(text):
        return None  # not too much at a time, but too much at all (RFC 5530 §3): no wait helps
    kind = _CODES.get(code or "")
    return _limit(kind, Scope.ACCOUNT, text, host) if kind is not None else None


def _limit(kind: LimitKind, scope: Scope, text: str, host: str) -> Limit:
    if scope is Scope.HOST and kind is LimitKind.BUSY and _is_fleet(host):
        scope = Scope.ACCOUNT
    return Limit(kind=kind, scope=scope, retry_after_seconds=_asked_seconds(text))


def _asked_seconds(text: str) -> float | None:
    """How long to wait, where the server says so: at most a day, whatever it says."""
    asked = _ASKED.search(text)
    if asked is None:
        return None
    unit = asked[2].lower()
    seconds = next(each for start, each in _UNIT_SECONDS if unit.startswith(start))
    return min(int(asked[1]) * seconds, _DAY_SECONDS)


def _is_of(host: str, names: frozenset[str]) -> bool:
    provider = provider_of_host(host)
    return provider is not None and provider.name in names


def _is_fleet(host: str) -> bool:
    provider = provider_of_host(host)
    return provider is not None and provider.has(Quirk.FLEET)


# Names of providers, as shared/dial/providers.toml has them.
_GMAIL = frozenset({"google"})
_YAHOO = frozenset({"yahoo", "aol", "att", "yahoo-japan"})

# RFC 5530 §3: these judge who we are, whatever the sentence behind them says.
_OF_CREDENTIALS = frozenset(
    {
        "AUTHENTICATIONFAILED",
        "AUTHORIZATIONFAILED",
        "EXPIRED",
        "PRIVACYREQUIRED",
        "CONTACTADMIN",
        "NOPERM",
        "WEBALERT",  # Gmail
    }
)
# Failures that were counted, and passwords that are wanted: to wait and try the same is no help.
_ABOUT_CREDENTIALS = re.compile(
    r"invalid (?:credentials|login|user|password)|wrong password|bad password"
    r"|too many (?:failed|invalid|bad|unsuccessful|incorrect)"
    r"|(?:failed|invalid) (?:log-?in|sign-?in|authentication) attempts"
    r"|too many (?:log-?in|authentication) (?:failures|errors)"
    r"|application-specific password|web login required|log ?in via your web browser",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A sentence that servers are known to say."""

    pattern: re.Pattern[str]
    kind: LimitKind
    scope: Scope = Scope.ACCOUNT
    of: frozenset[str] | None = None  # only these providers; None: whoever says it


def _said(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


# The first that fits counts: what is told of exactly comes before what is told of in general.
_PHRASES = (
    # --- Bytes. Gmail: `NO [ALERT] Account exceeded command or bandwidth limits. (Failure)` at a
    # command, and `BYE [OVERQUOTA] Account exceeded …` in the middle of a first copy. Its limits:
    # support.google.com/a/answer/1071518.
    _Phrase(_said(r"exceeded command or bandwidth limit"), LimitKind.BANDWIDTH),
    _Phrase(_said(r"bandwidth (?:limit|quota)|(?:download|traffic) (?:limit|quota)"),
            LimitKind.BANDWIDTH),
    # --- Connections. From our address, whoever is behind them: Dovecot's proxies, Courier's
    # MAXPERIP, Cyrus's `maxlogins_per_host`.
    _Phrase(_said(r"too many (?:open |concurrent |simultaneous )?(?:connections|sessions|logins)"
                  r" (?:for|from) (?:this|your|that|the same) (?:ip|host|address|client)"
                  r"|(?:connections?|logins?|sessions?) (?:per|from) (?:your )?ip\b(?!\S*\+)"),
            LimitKind.CONNECTIONS, Scope.HOST),
    # Dovecot `NO [UNAVAILABLE]` (2.2), `NO [LIMIT]` (2.3): Maximum number of connections from
    # user+IP exceeded (mail_max_userip_connections=10).
    _Phrase(_said(r"maximum number of (?:imap )?connections"), LimitKind.CONNECTIONS),
    # Gmail `NO [ALERT] Too many simultaneous connections. (Failure)`, Yahoo `NO [LIMIT] …`,
    # Yandex and Zoho in the same words, Cyrus `NO Too many open connections`, Exchange
    # `NO Too many concurrent connections to this mailbox`.
    _Phrase(_said(r"too many (?:\w+ ){0,2}(?:connections|sessions|log-?ins)\b"),
            LimitKind.CONNECTIONS),
    _Phrase(_said(r"(?:connections?|sessions?) limit (?:is |was |has been )?(?:reached|exceeded)"
                  r"|(?:exceeded|reached) (?:\w+ ){0,4}(?:connections?|sessions?)\b"),
            LimitKind.CONNECTIONS),
    # --- Commands. Exchange and Microsoft 365: `BAD Request is throttled. Suggested Backoff Time:
    # 92415 milliseconds`, also as NO, mostly followed by a BYE.
    _Phrase(_said(r"request is throttled|suggested backoff time"), LimitKind.COMMANDS),
    # Yahoo and AOL: `NO [LIMIT] AUTHENTICATE Rate limit hit.`, `LOGIN Rate limit hit.`
    _Phrase(_said(r"rate[ -]limit|throttl|too frequent|too many (?:requests|commands)"
                  r"|too many (?:log-?in|connection) attempts"),
            LimitKind.COMMANDS),
    # --- Space (RFC 9208 §4.3.1). After bytes: Gmail uses the same code for both.
    _Phrase(_said(r"(?:over|exceed\w*) (?:\w+ )?(?:storage )?quota|quota (?:is )?exceeded"
                  r"|mailbox is full|not enough (?:disk )?(?:quota|space|storage)"),
            LimitKind.QUOTA),
    # --- Another holds it. Dovecot and POP3 gateways; RFC 5530 §3 INUSE.
    _Phrase(_said(r"mailbox (?:is )?(?:locked|in use|busy)|locked by another"), LimitKind.IN_USE),
    # --- The server itself. Dovecot, all of its accounts: its user database is away, or its
    # login processes are full.
    _Phrase(_said(r"temporary authentication failure|connection queue full"),
            LimitKind.BUSY, Scope.HOST),
    # Exchange: `NO Server Unavailable. 15`, `BAD Server Busy`; of the account, whatever it says,
    # as is `BAD User is authenticated but not connected.`, its answer to the first command after
    # a sign-in while the mailbox is throttled, moved, or closed to IMAP.
    _Phrase(_said(r"user is authenticated but not connected"), LimitKind.BUSY),
    _Phrase(_said(r"server (?:is )?(?:too )?busy|server (?:is )?(?:temporarily )?unavailable"
                  r"|server (?:is )?overloaded|load (?:is )?too high|system load"),
            LimitKind.BUSY, Scope.HOST),
    # Yahoo and AOL, of one account's store: `NO [UNAVAILABLE] UID FETCH Server error - Please try
    # again later`, `… Service is temporarily not available`.
    _Phrase(_said(r"server error"), LimitKind.BUSY, of=_YAHOO),
    # Gmail: `NO System Error (Failure)`, `NO Lookup failed …`, `NO Temporary System Problem`.
    _Phrase(_said(r"system error|lookup failed|temporary system problem|internal error"),
            LimitKind.BUSY, of=_GMAIL),
    # iCloud, GMX and web.de, Fastmail, Arcor: the account's store is moved or repaired.
    _Phrase(_said(r"^(?!.*(?:authentication|log-?in) failed)(?:"
                  r".*(?:account|mailbox|service|system) (?:is |are )?(?:temporarily|currently)"
                  r" (?:not available|unavailable)|.*try again (?:later|in (?:a few|some)))"),
            LimitKind.BUSY),
)  # fmt: skip
# RFC 5530 §3; THROTTLED and OVERQUOTA as large providers use them.
_CODES = {
    "THROTTLED": LimitKind.COMMANDS,
    "LIMIT": LimitKind.COMMANDS,
    "OVERQUOTA": LimitKind.QUOTA,
    "INUSE": LimitKind.IN_USE,
    "UNAVAILABLE": LimitKind.BUSY,
    "SERVERBUG": LimitKind.BUSY,
}
# Gmail writes `OK Success [THROTTLED]` and `NO System Error (Failure) [THROTTLED]`: at the end.
_CODE_IN_TEXT = re.compile(r"\[(THROTTLED|OVERQUOTA|UNAVAILABLE|INUSE|LIMIT)\]", re.IGNORECASE)
_ABOUT_SIZE = re.compile(
    r"\b(?:flags?|keywords?|folders?|mailboxes|name|line|literal|message size|subfolders?)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"(?:backoff time|again (?:in|after)|retry (?:in|after)|wait(?: for)?)\W{0,3}(\d{1,9}) ?"
    r"(ms\b|milli(?:second)?s?|s\b|sec(?:ond)?s?|min(?:ute)?s?|h\b|hours?)",
    re.IGNORECASE,
)
_UNIT_SECONDS = (("ms", 0.001), ("milli", 0.001), ("s", 1.0), ("min", 60.0), ("h", 3600.0))
