"""Cyrus 3.6: OBJECTID, QRESYNC and MOVE, as universities and Fastmail know it."""

from pathlib import Path

from tests.servers.chroot import ChrootServer
from tests.servers.imap_server import DOMAIN

SETTINGS = """
servername: {domain}
configdirectory: /srv/lib
defaultpartition: default
partition-default: /srv/spool
proc_path: /srv/run/proc
mboxname_lockpath: /srv/run/lock
idlesocket: /srv/run/idle
admins: cyrus
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /srv/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
conversations: yes
autocreate_quota: 0
autocreate_post: yes
autocreate_inbox_folders: Drafts | Sent | Trash | Junk | Archive
autocreate_subscribe_folders: Drafts | Sent | Trash | Junk | Archive
xlist-drafts: Drafts
xlist-sent: Sent
xlist-trash: Trash
xlist-junk: Junk
xlist-archive: Archive
"""

SERVICES = """
START {{
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -C /srv/imapd.conf -r"
  idled cmd="/usr/lib/cyrus/bin/idled -C /srv/imapd.conf"
}}
SERVICES {{
  imap cmd="/usr/lib/cyrus/bin/imapd -C /srv/imapd.conf" listen="127.0.0.1:{port}" prefork=1
}}
EVENTS {{
  checkpoint cmd="/usr/sbin/cyrus ctl_cyrusdb -C /srv/imapd.conf -c" period=180
}}
"""

START = """
mkdir -p /srv/lib/socket /srv/spool /srv/run/proc /srv/run/lock /run/cyrus/socket
touch /srv/sasldb2
chown cyrus:mail /srv /srv/sasldb2
chown -R cyrus:mail /srv/lib /srv/spool /srv/run /run/cyrus
exec /usr/sbin/cyrmaster -C /srv/imapd.conf -M /srv/cyrus.conf -p /srv/run/pid -L /srv/log
"""


class Cyrus(ChrootServer):
    """A private Cyrus; users are names without a domain, with the usual five mailboxes."""

    name = "cyrus"
    package = "cyrus-imapd"

    def configure(self) -> None:
        files = {
            "imapd.conf": SETTINGS.format(domain=DOMAIN),
            "cyrus.conf": SERVICES.format(port=self.imap_port),
            "start": START,
        }
        for name, text in files.items():
            Path(self.directory, name).write_text(text)

    def new_user(self, name: str = "user") -> str:
        user = super().new_user(name).partition("@")[0]
        database = ("-f", "/srv/sasldb2", "-u", DOMAIN)
        self.run("saslpasswd2", "-p", "-c", *database, user, stdin=self.password)
        return user

    def renumber(self, user: str, mailbox: str) -> None:
        # Mended without its index, a mailbox has its messages, without flags, and a new number:
        # the time in seconds.
        name, where = f"user/{user}/{mailbox}", ("-C", "/srv/imapd.conf")
        folder = self.run("/usr/lib/cyrus/bin/mbpath", *where, name).strip()
        self.run("sh", "-c", f"sleep 1; rm {folder}/cyrus.index")
        self.run("/usr/lib/cyrus/bin/reconstruct", *where, name)
