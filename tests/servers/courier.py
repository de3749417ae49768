"""Courier 5: IMAP4rev1 with hardly an extension, and everything below `INBOX.`."""

from pathlib import Path

from tests.servers.chroot import ChrootServer

START = """
set -e
mkdir -p /run/courier/authdaemon /srv/mail
chown courier:courier /run/courier /run/courier/authdaemon
chown nobody:nogroup /srv/mail
mount --bind /srv/etc /etc/courier
sed -i "s/^authmodulelist=.*/authmodulelist=authuserdb/" /srv/etc/authdaemonrc
[ -e /srv/etc/userdb ] || (umask 077; : > /srv/etc/userdb; makeuserdb)
/usr/sbin/authdaemond start
set -a
. /etc/courier/imapd
set +a
export IMAP_IDLE_TIMEOUT=1 IMAP_TRASHFOLDERNAME=Trash IMAP_EMPTYTRASH=
export IMAPDSTART=YES TLS_PROTOCOL= PROTOCOL=IMAP
cd /
exec /usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup \
  -noidentlookup {port} /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir
"""

ADD_USER = """
set -e
mount --bind /srv/etc /etc/courier
hash=$(userdbpw -md5)
mkdir "/srv/mail/$1"
maildirmake "/srv/mail/$1/Maildir"
chown -R nobody:nogroup "/srv/mail/$1"
userdb "$1" set "imappw=$hash" "home=/srv/mail/$1" "mail=/srv/mail/$1/Maildir" \
  "uid=$(id -u nobody)" "gid=$(id -g nobody)"
makeuserdb
"""


class Courier(ChrootServer):
    """A private Courier; users are names without a domain and have INBOX only."""

    name = "courier"
    package = "courier-imap"
    prefix = "INBOX."
    delimiter = "."

    def configure(self) -> None:
        Path(self.directory, "start").write_text(START.format(port=self.imap_port))
        if not (self.directory / "etc").exists():
            self.run("cp", "-a", "/etc/courier", "/srv/etc")

    def new_user(self, name: str = "user") -> str:
        user = super().new_user(name).partition("@")[0]
        self.run("sh", "-c", ADD_USER, "sh", user, stdin=f"{self.password}\n{self.password}\n")
        return user

    def renumber(self, user: str, mailbox: str) -> None:
        folder = "" if mailbox == "INBOX" else "." + mailbox.removeprefix(self.prefix)
        numbers = self.directory / "mail" / user / "Maildir" / folder / "courierimapuiddb"
        # `1 UIDVALIDITY NEXT_UID`, then a line per message
        first, _, rest = numbers.read_text().partition("\n")
        form, validity, following = first.split()
        numbers.write_text(f"{form} {int(validity) + 1} {following}\n{rest}")
