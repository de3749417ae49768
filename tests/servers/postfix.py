"""Postfix as a sender meets it: submission with AUTH and STARTTLS, and a port for other servers.

Nothing leaves the machine. Mail for any domain ends in Dovecot, in the mailbox of the address it
was sent to, so that a test may open the mailbox of a recipient anywhere in the world. Strangers on
the plain port reach the own domain only. Some recipients have a fate:

    unknown…@   550 5.1.1  there is no such user
    full…@      552 5.2.2  refused for good
    busy…@      450 4.2.1  ask again later
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.certificate import self_signed
from tests.servers.dovecot import DOMAIN, Dovecot
from tests.servers.process import (
    LOOPBACK,
    ServerFailed,
    ServerProcess,
    ServerUnavailable,
    free_ports,
    program,
)

MAIN = """
compatibility_level = 3.6
config_directory = {directory}/etc
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
mail_owner = postfix
setgid_group = postdrop

inet_interfaces = {host}
inet_protocols = ipv4
myhostname = mx.{domain}
mydomain = {domain}
myorigin = {domain}
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:5.1.1 no local users
notify_classes =
biff = no

virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:here
virtual_transport = lmtp:inet:{host}:{lmtp_port}
# Mail for others is kept on this machine, too.
default_transport = lmtp:inet:{host}:{lmtp_port}
disable_dns_lookups = yes
recipient_delimiter = +
lmtp_destination_concurrency_limit = 10
minimal_backoff_time = 1s
maximal_backoff_time = 5s
queue_run_delay = 1s

smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl_socket}
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions =
    check_recipient_access regexp:{directory}/etc/recipients
    permit_sasl_authenticated
    reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_loglevel = 0
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_hard_error_limit = 1000
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
default_process_limit = 30
{extra}
"""

RECIPIENTS = """
/^unknown[^@]*@/ 550 5.1.1 There is no such user here
/^full[^@]*@/ 552 5.2.2 The mailbox is full
/^busy[^@]*@/ 450 4.2.1 The mailbox is busy, try again later
"""

MASTER = """
{smtp_port}        inet n - n - - smtpd
{submission_port}  inet n - n - - smtpd
    -o syslog_name=postfix/submission
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
{submissions_port} inet n - n - - smtpd
    -o syslog_name=postfix/submissions
    -o smtpd_tls_wrappermode=yes
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
pickup     unix n - n 60    1 pickup
cleanup    unix n - n -     0 cleanup
qmgr       unix n - n 300   1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n -     - trivial-rewrite
bounce     unix - - n -     0 bounce
defer      unix - - n -     0 bounce
trace      unix - - n -     0 bounce
verify     unix - - n -     1 verify
flush      unix n - n 1000? 0 flush
proxymap   unix - - n -     - proxymap
proxywrite unix - - n -     1 proxymap
showq      unix n - n -     - showq
error      unix - - n -     - error
retry      unix - - n -     - error
lmtp       unix - - n -     - lmtp
anvil      unix - - n -     1 anvil
scache     unix - - n -     1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Postfix(ServerProcess):
    """A private Postfix before a Dovecot: users and passwords are Dovecot's.

    `smtp_port` takes mail as from another server, `submission_port` offers AUTH with and without
    STARTTLS, `submissions_port` speaks TLS from the first byte. `extra` is appended to main.cf.
    """

    name = "postfix"

    def __init__(self, directory: Path, dovecot: Dovecot, *, extra: str = "") -> None:
        super().__init__(directory)
        self.log = directory / "mail.log"
        self.certificate, self._key = self_signed(directory)
        self.configuration = directory / "etc"
        self._dovecot, self._extra = dovecot, extra
        self.smtp_port, self.submission_port, self.submissions_port = free_ports(3)
        self._began = False

    @staticmethod
    def require() -> None:
        """Say why this machine cannot run Postfix, when it cannot."""
        program("postfix")
        if os.geteuid() != 0:
            raise ServerUnavailable("postfix starts as root only")

    def start(self) -> None:
        for attempts_left in (2, 1, 0):
            self._configure()
            try:
                self._spawn(
                    [self._daemon("master"), "-c", str(self.configuration), "-s"],
                    [self.smtp_port, self.submission_port],
                )
            except ServerFailed as failure:
                # Another process may take a free port first; a known address is kept, though.
                port_taken = "Address already in use" in str(failure)
                if self._began or not port_taken or not attempts_left:
                    raise
                self.log.unlink(missing_ok=True)
                self.smtp_port, self.submission_port, self.submissions_port = free_ports(3)
            else:
                self._began = True
                return

    def _configure(self) -> None:
        for name in ("etc", "queue", "data"):
            (self.directory / name).mkdir(exist_ok=True)
        shutil.chown(self.directory / "data", "postfix", "postfix")
        (self.configuration / "recipients").write_text(RECIPIENTS)
        (self.configuration / "main.cf").write_text(
            MAIN.format(
                directory=self.directory,
                host=LOOPBACK,
                domain=DOMAIN,
                lmtp_port=self._dovecot.lmtp_port,
                sasl_socket=self._dovecot.sasl_socket,
                certificate=self.certificate,
                key=self._key,
                extra=self._extra,
            )
        )
        (self.configuration / "master.cf").write_text(
            MASTER.format(
                smtp_port=self.smtp_port,
                submission_port=self.submission_port,
                submissions_port=self.submissions_port,
            )
        )
        # Makes the queue's directories with the owners Postfix insists on.
        check = subprocess.run(
            [program("postfix"), "-c", str(self.configuration), "check"],
            capture_output=True,
            text=True,
            check=False,
        )
        if check.returncode:
            raise ServerFailed(f"postfix check: {check.stderr}{self.words()}")

    def _daemon(self, name: str) -> str:
        directory = subprocess.run(
            [program("postconf"), "-d", "-h", "daemon_directory"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        return f"{directory}/{name}"

    def queue(self) -> str:
        """What waits in the queue, as `postqueue -p` prints it."""
        return subprocess.run(
            [program("postqueue"), "-c", str(self.configuration), "-p"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
