"""What a mailbox is for, by its name, where the server does not say (RFC 6154).

The names are those that mail programs and providers give these mailboxes by themselves, in the
languages they come in.
"""

from __future__ import annotations

import unicodedata

from shared.contracts.mail import MailboxRole

_NAMES: dict[MailboxRole, str] = {
    MailboxRole.SENT: """
        sent|sent items|sent messages|sent mail|sent-mail|sentmail|sent objects|sent email
        gesendet|gesendete objekte|gesendete elemente|gesendete nachrichten|gesendete mails
        envoyés|envoyé|messages envoyés|éléments envoyés|courriers envoyés|objets envoyés
        mails envoyés|enviados|enviado|elementos enviados|mensajes enviados|correo enviado
        correos enviados|itens enviados|mensagens enviadas|enviadas|e-mails enviados
        elements enviats|missatges enviats|enviats|inviata|inviati|posta inviata
        messaggi inviati|elementi inviati|verzonden|verzonden items|verzonden berichten
        verzonden objecten|skickat|skickade|skickade objekt|skickade meddelanden|sendt|sendte
        sendte elementer|sendt post|sendte meldinger|sendte beskeder|sende elementer|lähetetyt
        lähetetyt viestit|lähetetyt kohteet|saadetud|saadetud kirjad|nosūtītie|išsiųsta
        išsiųsti laiškai|wysłane|elementy wysłane|wiadomości wysłane|odeslané|odeslaná pošta
        odoslané|odoslaná pošta|elküldött|elküldött elemek|elküldött üzenetek|trimise
        elemente trimise|mesaje trimise|poslano|poslana pošta|poslane stavke|poslato|послато
        изпратени|изпратени съобщения|отправленные|отправленное|надіслані|відправлені
        адпраўленыя|σταλμένα|απεσταλμένα|gönderilmiş|gönderilmiş öğeler|gönderilenler
        gönderilmiş postalar|נשלח|דואר שנשלח|פריטים שנשלחו|المرسلة|المرسل|العناصر المرسلة
        الرسائل المرسلة|ارسال شده|पाठविलेले|भेजे गए|भेजी गई मेल|ส่งแล้ว|รายการที่ถูกส่ง
        จดหมายที่ส่ง|đã gửi|thư đã gửi|terkirim|item terkirim|送信済み|送信済みメール
        送信済みアイテム|送信済みトレイ|已发送|已发送邮件|已发邮件|已发送消息|寄件備份
        已傳送的郵件|已寄出|보낸편지함|보낸 편지함|보낸 메일함
    """,
    MailboxRole.DRAFTS: """
        drafts|draft|draft messages|entwürfe|entwurf|brouillons|brouillon|borradores|borrador
        rascunhos|rascunho|esborranys|bozze|concepten|concept|utkast|kladder|kladde|luonnokset
        mustandid|melnraksti|juodraščiai|szkice|kopie robocze|wersje robocze|rozepsané|koncepty
        rozpracované|piszkozatok|vázlatok|ciorne|schițe|osnutki|skice|nacrti|нацрти|чернови
        черновики|чернетки|чарнавікі|πρόχειρα|taslaklar|taslak|טיוטות|المسودات|مسودات
        پیش نویس ها|ड्राफ़्ट|แบบร่าง|thư nháp|bản nháp|draf|konsep|下書き|草稿|草稿箱|草稿匣
        임시보관함|임시 보관함|임시 저장
    """,
    MailboxRole.TRASH: """
        trash|deleted|deleted items|deleted messages|bin|deleted objects|papierkorb
        gelöschte objekte|gelöschte elemente|gelöscht|gelöschte nachrichten|corbeille
        éléments supprimés|messages supprimés|poubelle|courriers supprimés|papelera
        papelera de reciclaje|elementos eliminados|eliminados|mensajes eliminados|borrados|lixo
        lixeira|itens eliminados|itens excluídos|mensagens excluídas|paperera|elements suprimits
        cestino|posta eliminata|elementi eliminati|prullenbak|prullenmand|verwijderd
        verwijderde items|papperskorgen|papperskorg|borttaget|borttagna objekt|papirkurv|søppel
        slettet|slettede elementer|slettet post|roskakori|poistetut|poistetut viestit|prügikast
        prügi|kustutatud|miskaste|atkritne|šiukšlinė|šiukšliadėžė|kosz|elementy usunięte|koš
        odstraněná pošta|odstránená pošta|kôš|kuka|lomtár|törölt elemek|törölt üzenetek
        coș de gunoi|elemente șterse|gunoi|smeti|koš za smeti|smeće|отпад|обрисане|изтрити|кошче
        корзина|удалённые|удаленные|кошик|видалені|сметніца|κάδος|κάδος απορριμμάτων|διαγραμμένα
        çöp|çöp kutusu|silinmiş öğeler|silinmişler|אשפה|פריטים שנמחקו|המחוקים|المهملات
        سلة المهملات|العناصر المحذوفة|زباله دان|ट्रैश|कचरा|ถังขยะ|thùng rác|sampah|tong sampah
        ゴミ箱|ごみ箱|削除済みアイテム|已删除|已删除邮件|已删除消息|垃圾桶|废纸篓|刪除的郵件
        휴지통|지운 편지함
    """,
    MailboxRole.JUNK: """
        junk|spam|junk e-mail|junk email|junk mail|bulk mail|bulk|spamverdacht|spam mail|spambox
        unerwünscht|junk-e-mail|indésirables|courrier indésirable|pourriel|pourriels|spams
        correo no deseado|no deseado|correo basura|lixo eletrônico|lixo electrónico
        correu brossa|posta indesiderata|indesiderata|ongewenste e-mail|ongewenst
        ongewenste reclame|skräppost|skräp|uønsket|uønsket e-post|uønsket e-mail|uønsket post
        søppelpost|roskaposti|rämpspost|mēstules|brukalas|wiadomości-śmieci|niechciane|spamy
        nevyžádaná pošta|nevyžiadaná pošta|levélszemét|kéretlen levelek|mesaje nedorite
        vsiljena pošta|neželjena pošta|нежељена пошта|нежелана поща|нежелательная почта|спам
        небажана пошта|ανεπιθύμητα|ανεπιθύμητη αλληλογραφία|istenmeyen|istenmeyen e-posta
        gereksiz|önemsiz e-posta|דואר זבל|זבל|ספאם|البريد العشوائي|البريد غير الهام|هرزنامه
        स्पैम|จดหมายขยะ|อีเมลขยะ|thư rác|spam dan iklan|迷惑メール|スパム|垃圾邮件|垃圾郵件
        广告邮件|스팸|스팸메일함|스팸 메일함|정크 메일
    """,
    MailboxRole.ARCHIVE: """
        archive|archives|archived|archiv|archivé|archivés|archivo|archivados|arquivo|arquivos
        arquivados|archivio|archiviati|archief|arkiv|arkisto|arhiiv|arhīvs|archyvas|archiwum
        archív|archívum|arhiva|arhivă|arhiv|архива|архив|архів|архіў|αρχείο|αρχειοθήκη|arşiv
        ארכיון|الأرشيف|أرشيف|بایگانی|ที่เก็บถาวร|lưu trữ|arsip|アーカイブ|存档|归档|封存|보관함
        보관
    """,
    MailboxRole.ALL: """
        all mail|alle nachrichten|tous les messages|todo o correio|todos os e-mails
        tutti i messaggi|alle berichten|alla mail|all post|вся почта|すべてのメール|所有邮件
        所有郵件|전체보관함
    """,
    MailboxRole.FLAGGED: """
        starred|flagged|markiert|gekennzeichnet|suivis|destacados|com estrela|speciali|met ster
        stjärnmärkt|oznaczone gwiazdką|помеченные|スター付き|已加星标|已加星號|별표편지함
    """,
}


def _plain(name: str) -> str:
    """A name without what people write differently: case, width, marks of composition, spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


_ROLES: dict[str, MailboxRole] = {
    _plain(name): role
    for role, names in _NAMES.items()
    for line in names.split("\n")
    for name in line.split("|")
    if name.strip()
}


def role_of(path: str, delimiter: str | None) -> MailboxRole | None:
    """The role that this name suggests, or None. `INBOX` itself is by name and not by guess.

    Only mailboxes at the top, under INBOX, or under a provider's own root (`[Gmail]`) are meant:
    `Projects/Archive` is somebody's, and no role.
    """
    levels = path.split(delimiter) if delimiter else [path]
    if len(levels) == 1 and _plain(path) == "inbox":
        return MailboxRole.INBOX
    if len(levels) > 1 and (_plain(levels[0]) == "inbox" or levels[0].startswith("[")):
        levels = levels[1:]
    return _ROLES.get(_plain(levels[0])) if len(levels) == 1 else None
