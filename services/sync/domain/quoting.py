"""What somebody wrote themselves, without the history under it and the signature.

Known by what mail programs put before what they quote, in the languages they speak; what is not
known for certain stays, for a line too many does less harm than one too few.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Of a longer text the beginning is looked at.
MAX_CHARACTERS = 100_000
_MAX_ATTRIBUTION = 400
_MAX_SIGNATURE_LINES = 15
_MAX_FOOTER_LINES = 8

#: `On Monday Ann wrote:`, as programs say it.
_WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb(?:en)?|[ée]crit|escribi[óo]|va escriure|escreveu|ha scritto"
    r"|schreef|skrev|skreiv|kirjoitti|kirjutas|napisał(?:\(a\)|a|o)?|napsala?|napísala?|napisala?"
    r"|napisao|написал(?:\(а\)|а|и)?|писала?|пишет|написав|пише|написа|yazdı|şunları yazdı|írta"
    r"|a scris|έγραψε|viết|đã viết|menulis|rašė|rakstīja|idatzi du)\b"
    r"|写道|写到|寫道|さんは書きました|のメール|작성|씀|כתבה?|كتب|เขียนว่า",
    re.IGNORECASE,
)
_WHEN = re.compile(r"\d{1,2}[:.h]\d{2}|\d{4}|\d{1,2}[./-]\d{1,2}|年")
_WHENS_FIRST = re.compile(r"[\d年]")  # no time is without one, and hardly a line has any
_WHO = re.compile(r"<[^<>\s]+@[^<>\s]+>|\[mailto:|\S+@\S+")
#: How older programs began, without a word: `2012/4/2 Ann <ann@example.org>`.
_DATED = re.compile(r"\d{4}[/-]\d{1,2}[/-]\d{1,2}\s.*<[^<>\s]+@[^<>\s]+>:?$")
_COLONS = (":", "：", ":*")

_MARKS = "-_=* "
_RULES = ("--", "__", "==", "**", "- -", "*--")
_SEPARATOR = re.compile(
    r"original (?:message|appointment)|forwarded (?:message|by .*)|reply message|begin forwarded .*"
    r"|(?:ursprüngliche|original-?|weitergeleitete) ?nachricht|message (?:d['’]origine|transféré)"
    r"|mensaje (?:original|reenviado)|messaggio (?:originale|inoltrato)|mensagem (?:original|"
    r"encaminhada)|(?:oorspronkelijk|doorgestuurd) bericht|(?:ursprungligt|vidarebefordrat) "
    r"meddelande|(?:oprindelig|videresendt) (?:meddelelse|besked)|(?:opprinnelig|videresendt) "
    r"melding|alkuperäinen viesti|(?:wiadomość oryginalna|oryginalna wiadomość|"
    r"treść przekazanej wiadomości)|původní zpráva|pôvodná správa|eredeti üzenet|mesaj original"
    r"|izvorna poruka|исходное сообщение|пересылаемое сообщение|оригінальне повідомлення"
    r"|orijinal (?:mesaj|ileti)|özgün ileti|αρχικό μήνυμα|原始邮件|原始郵件|原邮件|转发的邮件"
    r"|元のメッセージ|원본 메시지|원본 메일|tin nhắn gốc|الرسالة الأصلية|הודעה מקורית",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\*?([^\s:：*][^:：*]{0,24}?)\*?[ \u00a0]?\*?[:：]\*?(?:\s|$|(?<=：))")
_LABEL_CHARACTERS = 30  # at most, with its colon
_FROM = frozenset(
    {"from", "von", "de", "da", "van", "från", "fra", "lähettäjä", "od", "feladó", "от", "від"}
    | {"expéditeur", "remitente", "mittente", "gönderen", "kimden", "από", "差出人", "送信者"}
    | {"发件人", "寄件者", "寄件人", "보낸 사람", "보낸사람", "từ", "dari", "מאת", "من", "de la"}
    | {"saatja", "nuo", "no"}
)
_OTHERS = frozenset(
    {"to", "cc", "sent", "date", "subject", "reply-to", "importance", "when", "attachments"}
    | {"an", "gesendet", "datum", "betreff", "kopie", "à", "envoyé", "objet", "para", "enviado"}
    | {"enviado el", "enviada em", "fecha", "data", "asunto", "assunto", "a", "inviato", "oggetto"}
    | {"envoyé le", "aan", "verzonden", "onderwerp", "till", "skickat", "ämne", "til", "sendt"}
    | {"emne", "dato", "vastaanottaja", "lähetetty", "päivä", "päiväys", "aihe", "kopio", "do"}
    | {"wysłano", "wysłane", "temat", "komu", "odesláno", "předmět", "predmet", "odoslané"}
    | {"címzett", "elküldve", "tárgy", "küldve", "către", "trimis", "subiect", "кому", "копия"}
    | {"отправлено", "дата", "тема", "надіслано", "kime", "gönderildi", "tarih", "konu", "προς"}
    | {"στάλθηκε", "ημερομηνία", "θέμα", "宛先", "送信日時", "日時", "件名", "收件人", "发送时间"}
    | {"抄送", "主题", "日期", "收件者", "寄件日期", "主旨", "받는 사람", "받는사람", "보낸 날짜"}
    | {"날짜", "제목", "참조", "đến", "gửi", "ngày", "chủ đề", "kepada", "tanggal", "subjek"}
    | {"אל", "נשלח", "נושא", "تاريخ", "إلى", "الموضوع", "时间"}
)

_DELIMITER = re.compile(r"(?:--|—|__)\s*")
_SENT_FROM = re.compile(
    r"get \S+(?: \S+)? for (?:ios|android|mobile)"
    r"|(?:sent (?:from|via|by|with|using)|posted from|enviado|inviato|envoyé"
    r"|gesendet|von meine[mr]|verzonden|verstuurd"
    r"|skickat|sendt|lähetetty|wysłan[eo]|odesláno|odoslané|küldve|trimis|отправлено|надіслано"
    r"|отправлен[оа]? из|diese nachricht wurde von)\b[^,;]{0,45}?"
    r"(?:iphone|ipad|ios|android|samsung|galaxy|blackberry|huawei|xiaomi|pixel|nokia|motorola|htc"
    r"|windows phone|mobile(?: device| phone)?|mobil(?:telefon|e)?|smartphone|handy|phone|téléphone"
    r"|portable|teléfono|telefoon|outlook(?: \S+ \S+)?|yahoo mail|proton ?mail|gmx\S*|web\.de\S*"
    r"|mail(?: for windows.*)?|почты|手机|mailspring|airmail|spark|nine|k-9 mail|treo)\b.{0,45}"
    r"|(?:iphone|ipad|android)(?:から送信|에서 보냄|['’]\S+ gönderildi).{0,20}"
    r"|(?:发自|发送自|寄自|發自|從我的).{0,20}(?:iphone|ipad|android|手机|huawei|samsung).{0,20}"
    r"|(?:나의|내) .{0,20}에서 보냄",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_=*-]{20,}")
_ONLY_MARKS = re.compile(r"[\s_=*\-–—.>|]*")
_OF_A_LIST = re.compile(r"https?://|mailto:|@|unsubscribe|mailing list", re.IGNORECASE)


def own_text(text: str) -> str:
    """The text without history and signature; all of it where nothing else would be left."""
    text = text[:MAX_CHARACTERS]
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if is_quoted(line):
            at += 1
        elif taken := history_at(lines, at):
            at = _next_words(lines, at + taken)
            if at >= len(lines) or not is_quoted(lines[at]):
                break  # without a mark on each line, all below is history
        else:
            kept.append(line)
            at += 1
    kept = _without_signature(_trimmed(kept))
    return "\n".join(kept).strip() or text.strip()


def is_quoted(line: str) -> bool:
    """Whether a line is marked as somebody else's; `>From` is how mboxes write `From`."""
    bare = line.lstrip()
    return bare.startswith(">") and not bare.startswith(">From ")


def history_at(lines: Sequence[str], at: int) -> int:
    """How many lines from here say that what follows was written before; 0 for none."""
    line = lines[at].strip()
    if not line or len(line) > _MAX_ATTRIBUTION:
        return 0
    if line.startswith(_RULES) and _SEPARATOR.fullmatch(line.strip(_MARKS)):
        return 1
    if _label_of(line) and (taken := _header_block(lines, at)):
        return taken
    return _attribution(lines, at, line)


def _label_of(line: str) -> str:
    """`from` of `From: Ann`, where it is one that headers have."""
    begins = line[:_LABEL_CHARACTERS]
    if (":" in begins or "：" in begins) and (found := _LABEL.match(line)):
        label = found[1].strip().lower()
        return label if label in _ALL else ""
    return ""


def quotes_next(lines: Sequence[str], at: int) -> bool:
    """Whether the next words from here are marked as quoted."""
    at = _next_words(lines, at)
    return at < len(lines) and is_quoted(lines[at])


_ALL = _FROM | _OTHERS


def _header_block(lines: Sequence[str], at: int) -> int:
    """`From: … Sent: … To: … Subject: …`: three at least, one of them who it is from."""
    labels: list[str] = []
    behind = 0
    for place in range(at, min(at + 12, len(lines))):
        line = lines[place].strip()
        if label := _label_of(line):
            labels.append(label)
            behind = place + 1 - at
        elif (not line and behind and not _labelled_next(lines, place)) or place - at > behind + 2:
            break  # a few lines more are a long list of recipients, or blank ones in between
    known = set(labels)
    return behind if len(known) >= 3 and known & _FROM else 0


def _labelled_next(lines: Sequence[str], at: int) -> bool:
    return at + 1 < len(lines) and bool(_label_of(lines[at + 1].strip()))


def _attribution(lines: Sequence[str], at: int, line: str) -> int:
    """`On Monday, Ann <ann@example.org> wrote:`, in up to three lines, or four."""
    if _DATED.match(line):
        return 1
    if not (line.endswith(_COLONS) or _tells_when(line)):
        return 0
    said = line
    for taken in range(1, 5):
        if said.endswith(_COLONS):
            return taken if _names_a_message(said, lines, at + taken) else 0
        following = lines[at + taken].strip() if at + taken < len(lines) else ""
        if not following or is_quoted(following):
            return 0
        said = f"{said} {following}"
        if len(said) > _MAX_ATTRIBUTION:
            return 0
    return 0


def _tells_when(line: str) -> bool:
    return _WHENS_FIRST.search(line) is not None and _WHEN.search(line) is not None


def _names_a_message(said: str, lines: Sequence[str], behind: int) -> bool:
    wrote = _WROTE.search(said) is not None
    when = _tells_when(said)
    who = _WHO.search(said) is not None
    if when and (wrote or who):
        # `Meet at 10:30, says ann@example.org:` has both, too.
        return wrote or quotes_next(lines, behind) or said.rstrip(":：* ").endswith(">")
    return (wrote or who) and quotes_next(lines, behind)


def _next_words(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _trimmed(lines: list[str]) -> list[str]:
    """Without blank lines and rules at the end."""
    end = len(lines)
    while end and _ONLY_MARKS.fullmatch(lines[end - 1]):
        end -= 1
    return lines[:end]


def _without_signature(lines: list[str]) -> list[str]:
    """Without what mailing lists, programs and people put under everything they send."""
    lines = _without_footer(lines)
    for at in range(max(len(lines) - _MAX_SIGNATURE_LINES - 1, 0), len(lines)):
        if _DELIMITER.fullmatch(lines[at]):
            lines = _trimmed(lines[:at])
            break
    last = len(lines) - 1
    if last >= 0 and _SENT_FROM.fullmatch(lines[last].strip(" \t*_[]<>.!")):
        lines = _trimmed(lines[:last])
    return lines


def _without_footer(lines: list[str]) -> list[str]:
    for at in range(max(len(lines) - _MAX_FOOTER_LINES - 1, 0), len(lines)):
        if _RULE.fullmatch(lines[at].strip()) and _OF_A_LIST.search("\n".join(lines[at + 1 :])):
            return _trimmed(lines[:at])
    return lines
