"""Dovecot 2.3 as users meet it: IMAP with every extension it has, and LMTP to deliver to it."""

import binascii
import grp
import imaplib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from tests.corpora import message_id
from tests.servers.certificate import self_signed
from tests.servers.imap_server import DOMAIN, PASSWORD, ImapServer
from tests.servers.process import LOOPBACK, ServerFailed, ServerUnavailable, free_ports, program

SPECIAL_MAILBOXES = ("Sent", "Drafts", "Trash", "Junk", "Archive")

BATCH = 500  # messages in one MULTIAPPEND

CONFIGURATION = """
protocols = imap lmtp
listen = {host}
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/dovecot.log
instance_name = {directory}
{users}

ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no

auth_mechanisms = plain login
auth_username_format = %Lu
auth_default_realm = {domain}
auth_failure_delay = 0 secs
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={directory}/mail/%d/%n allow_all_users=yes
}}

mail_location = {storage}
mail_fsync = never
# Where the machine has no inotify instance left for it, IDLE looks by itself.
mailbox_idle_check_interval = 1 secs
mail_max_userip_connections = 0
lmtp_rcpt_check_quota = no
recipient_delimiter = +
{capability}

namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
  mailbox Archive {{
    auto = subscribe
    special_use = \\Archive
  }}
}}

default_process_limit = 1000
default_client_limit = 4000
service anvil {{
  client_limit = 8000
  {chroot}
  # Wrong passwords are what some tests are about: they are not slowed down.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  client_limit = 8000
  unix_listener {directory}/sasl {{
    mode = 0666
  }}
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  process_limit = 2
  {chroot}
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 2000
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
service stats {{
  {chroot}
}}
{extra}
"""


@dataclass(frozen=True)
class Mail:
    """A message on its way into a mailbox, with what only the mailbox knows of it."""

    raw: bytes
    flags: tuple[str, ...] = ()
    received_at: datetime | None = None


class Dovecot(ImapServer):
    """A private Dovecot: any address is a user, the password is PASSWORD.

    `storage` is sdbox, maildir or mdbox. `capability` replaces what CAPABILITY announces, to
    play a server that knows less. `extra` is appended to the configuration.
    """

    name = "dovecot"

    def __init__(
        self, directory: Path, *, storage: str = "sdbox", capability: str = "", extra: str = ""
    ) -> None:
        super().__init__(directory)
        self.log = directory / "dovecot.log"
        self.sasl_socket = directory / "sasl"
        self.configuration = directory / "dovecot.conf"
        self.certificate, self._key = self_signed(directory)
        self._storage, self._capability, self._extra = storage, capability, extra
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
        self._began = False

    @classmethod
    def require(cls) -> None:
        """Say why this machine cannot run Dovecot, when it cannot."""
        version = subprocess.run(
            [program("dovecot"), "--version"], capture_output=True, text=True, check=False
        ).stdout
        if not version.startswith("2.3."):
            raise ServerUnavailable(f"this is a configuration for Dovecot 2.3, not {version}")
        programs = subprocess.run(
            [program("doveconf"), "-d", "-h", "libexec_dir"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for protocol in ("imap", "lmtp"):
            if not Path(programs, protocol).exists():
                raise ServerUnavailable(f"dovecot-{protocol}d is not installed")

    def start(self) -> None:
        for attempts_left in (2, 1, 0):
            self._configure()
            try:
                self._spawn(
                    [program("dovecot"), "-F", "-c", str(self.configuration)],
                    [self.imap_port, self.lmtp_port],
                )
            except ServerFailed as failure:
                # Another process may take a free port first; a known address is kept, though.
                port_taken = "Address already in use" in str(failure)
                if self._began or not port_taken or not attempts_left:
                    raise
                self.log.unlink(missing_ok=True)
                self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
            else:
                self._began = True
                return

    def _configure(self) -> None:
        mail = self.directory / "mail"
        mail.mkdir(exist_ok=True)
        root = os.geteuid() == 0
        if root:  # Dovecot opens no mailbox as root.
            owner, group = "nobody", grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name
            shutil.chown(mail, owner, group)
            users = "first_valid_uid = 1"
        else:
            owner, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
            users = f"""
                default_internal_user = {owner}
                default_internal_group = {group}
                default_login_user = {owner}
            """
        self.configuration.write_text(
            CONFIGURATION.format(
                host=LOOPBACK,
                directory=self.directory,
                users=users,
                certificate=self.certificate,
                key=self._key,
                domain=DOMAIN,
                password=PASSWORD,
                owner=owner,
                group=group,
                storage=f"{self._storage}:~/{self._storage}",
                capability=f"imap_capability = {self._capability}" if self._capability else "",
                chroot="" if root else "chroot =",
                imap_port=self.imap_port,
                imaps_port=self.imaps_port,
                lmtp_port=self.lmtp_port,
                extra=self._extra,
            )
        )

    def version(self) -> str:
        command = [program("dovecot"), "--version"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return f"Dovecot {answer.split()[0]}"

    def doveadm(self, *arguments: str) -> str:
        """What the administrator's command prints, e.g. `mailbox status -u USER messages INBOX`."""
        result = subprocess.run(
            [program("doveadm"), "-c", str(self.configuration), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise ServerFailed(f"doveadm {' '.join(arguments)}: {result.stderr}")
        return result.stdout

    def renumber(self, user: str, mailbox: str) -> None:
        with self.imap(user) as connection:
            (status,) = _must(connection.status(quote(mailbox), "(UIDVALIDITY)"))
        found = re.search(rb"UIDVALIDITY (\d+)", status)
        assert found is not None
        number = str(int(found[1]) + 1)
        self.doveadm("mailbox", "update", "-u", user, "--uid-validity", number, mailbox)

    def append(self, user: str, mailbox: str, messages: Iterable[bytes | Mail]) -> list[int]:
        """Put the messages into the mailbox, made when missing; answers their UIDs in order.

        Line ends become CRLF, as IMAP wants them. Every message of the corpora is taken; Dovecot
        gives NUL back as 0x80, since IMAP has no place for it (RFC 9051 §4.3), and drops the last
        bare CR of a message.
        """
        uids: list[int] = []
        quoted = quote(mailbox)
        remaining = iter(messages)
        with self.imap(user) as connection:
            # Answered NO where the mailbox exists; whatever else is wrong, APPEND will say.
            connection.create(quoted)
            while batch := list(islice(remaining, BATCH)):
                uids += _multi_append(connection, quoted, batch)
        return uids

    def messages(self, user: str, mailbox: str = "INBOX") -> dict[int, bytes]:
        """Every message of the mailbox by UID, as IMAP gives it."""
        return dict(self._fetch(user, mailbox, "BODY.PEEK[]"))

    def message_ids(self, user: str, mailbox: str = "INBOX") -> dict[int, str | None]:
        """The Message-ID of every message of the mailbox, by UID, as its header has it."""
        fields = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
        return {uid: message_id(header) for uid, header in self._fetch(user, mailbox, fields)}

    def flags(self, user: str, mailbox: str = "INBOX") -> dict[int, frozenset[str]]:
        """The flags of every message of the mailbox, by UID."""
        with self.imap(user) as connection:
            _must(connection.select(quote(mailbox), readonly=True))
            answers = _must(connection.uid("FETCH", "1:*", "(FLAGS)"))
        # `1 (UID 7 FLAGS (\\Seen))`; an empty mailbox answers nothing.
        found = [re.search(rb"UID (\d+) FLAGS \(([^)]*)\)", line or b"") for line in answers]
        return {int(each[1]): frozenset(each[2].decode().split()) for each in found if each}

    def mailboxes(self, user: str) -> list[str]:
        """The names of the user's mailboxes, in sorted order."""
        return sorted(self.doveadm("mailbox", "list", "-u", user).splitlines())

    def _fetch(self, user: str, mailbox: str, item: str) -> Iterator[tuple[int, bytes]]:
        with self.imap(user) as connection:
            _must(connection.select(quote(mailbox), readonly=True))
            for answer in _must(connection.uid("FETCH", "1:*", f"({item})")):
                if isinstance(answer, tuple):
                    uid = re.search(rb"UID (\d+)", answer[0])
                    assert uid is not None
                    yield int(uid[1]), answer[1]


def quote(mailbox: str) -> str:
    """The mailbox's name as IMAP4rev1 writes it: modified UTF-7 (RFC 3501 §5.1.3), quoted."""

    def encode(run: re.Match[str]) -> str:
        if run[0] == "&":
            return "&-"
        coded = binascii.b2a_base64(run[0].encode("utf-16-be"), newline=False)
        return "&" + coded.rstrip(b"=").replace(b"/", b",").decode() + "-"

    name = re.sub(r"&|[^\x20-\x7e]+", encode, mailbox)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def crlf(raw: bytes) -> bytes:
    """The message with every line ended by CRLF."""
    return re.sub(rb"\r?\n", b"\r\n", raw)


def _multi_append(connection: imaplib.IMAP4, mailbox: str, batch: list[bytes | Mail]) -> list[int]:
    """One MULTIAPPEND (RFC 3502) with non-synchronising literals (RFC 7888)."""
    command = bytearray(b"batch APPEND " + mailbox.encode())
    for each in batch:
        mail = each if isinstance(each, Mail) else Mail(each)
        raw = crlf(mail.raw)
        command += f" ({' '.join(mail.flags)})".encode()
        if mail.received_at is not None:
            command += f" {imaplib.Time2Internaldate(mail.received_at)}".encode()
        command += b" {%d+}\r\n" % len(raw) + raw
    connection.send(bytes(command) + b"\r\n")
    while not (line := connection.readline()).startswith(b"batch "):
        assert line.startswith(b"*"), line
    # `[APPENDUID validity uids]`, RFC 4315 §3
    appended = re.match(rb"batch OK \[APPENDUID \d+ ([\d:,]+)\]", line)
    if appended is None:
        raise ServerFailed(f"APPEND {mailbox}: {line.decode(errors='replace')}")
    uids: list[int] = []
    for part in appended[1].split(b","):
        first, _, last = part.partition(b":")
        uids += range(int(first), int(last or first) + 1)
    return uids


def _must(answer: tuple[str, list[Any]]) -> list[Any]:
    """What the server answered, which must have been OK."""
    status, data = answer
    if status != "OK":
        raise ServerFailed(f"{status} {data}")
    return data
