import pytest

from services.sync.domain.mailbox_role import role_of
from shared.contracts.mail import MailboxRole


@pytest.mark.parametrize(
    ("path", "delimiter", "role"),
    [
        ("INBOX", "/", MailboxRole.INBOX),
        ("inbox", None, MailboxRole.INBOX),
        ("Sent", "/", MailboxRole.SENT),
        ("INBOX.Gesendete Objekte", ".", MailboxRole.SENT),
        ("[Gmail]/Корзина", "/", MailboxRole.TRASH),
        ("[Google Mail]/All Mail", "/", MailboxRole.ALL),
        ("SENT  ITEMS", "/", MailboxRole.SENT),
        ("Entwu\u0308rfe", "/", MailboxRole.DRAFTS),  # as macOS composes ü
        ("ｓｐａｍ", "/", MailboxRole.JUNK),
        ("送信済みアイテム", "/", MailboxRole.SENT),
        ("垃圾邮件", "/", MailboxRole.JUNK),
        ("보관함", "/", MailboxRole.ARCHIVE),
        ("Éléments supprimés", "/", MailboxRole.TRASH),
        ("Projects/Archive", "/", None),
        ("INBOX/INBOX", "/", None),
        ("Lists", "/", None),
        ("", "/", None),
    ],
)
def test_a_mailbox_is_known_by_the_name_people_gave_it(
    path: str, delimiter: str | None, role: MailboxRole | None
):
    assert role_of(path, delimiter) == role
