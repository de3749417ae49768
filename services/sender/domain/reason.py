"""Why a message was not taken, in one stable word, from what a server answered."""

import re

from services.sender.domain.fate import Answer, Stage
from services.sender.domain.reply import Reply
from services.sender.domain.session_limit import names_limit

_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
# RFC 3463 §3: what the enhanced code's subject and detail say, whatever its class.
_BY_ENHANCED = {
    "1.1": "recipient_unknown",
    "1.2": "recipient_unknown",
    "1.3": "recipient_unknown",
    "1.6": "recipient_unknown",
    "1.7": "sender_refused",
    "1.8": "sender_refused",
    "1.10": "recipient_unknown",  # RFC 7505: the domain takes no mail
    "2.1": "mailbox_disabled",
    "2.2": "mailbox_full",
    "2.3": "message_too_large",
    "3.4": "message_too_large",
    "6.7": "addresses_not_supported",  # RFC 6531 §3.5
    "6.9": "addresses_not_supported",
    "7.1": "refused_by_policy",
    "7.60": "sender_refused",
}


def reason_of(answer: Answer) -> str | None:
    """What the answer is about; None where it took the message, or was none."""
    reply = answer.reply
    if reply is None or (answer.stage is Stage.AFTER_DOT and reply.code // 100 == 2):
        return None
    if reply.code == 421:
        return "server_closing"  # RFC 5321 §3.8
    if reply.asks_to_sign_in:
        return "auth_required"
    detail = (reply.enhanced_code or "").partition(".")[2]
    match reply.code // 100:
        case 4:
            return _temporary(reply, detail)
        case 5:
            if detail == "4.5":  # a day's limit, as providers say it: see fate.py
                return "too_much_mail"
            return _BY_ENHANCED.get(detail) or _permanent(reply, answer.stage)
        case _:
            return "unexpected_answer"


def _temporary(reply: Reply, detail: str) -> str:
    if _GREYLISTED.search(reply.text):  # RFC 6647
        return "greylisted"
    if names_limit(reply) or detail in ("4.5", "5.3", "7.28"):
        return "too_much_mail"
    return _BY_ENHANCED.get(detail) or "refused_for_now"


def _permanent(reply: Reply, stage: Stage) -> str:
    if reply.code == 552:  # RFC 1870 §6, though some mean a full mailbox by it
        return "message_too_large"
    return "message_refused" if stage is Stage.AFTER_DOT else "refused"
