"""A mail server of one process for trying Postbus: IMAP and SMTP with lively mailboxes.

For demonstration only: the passwords are public, and nothing is encrypted. It listens on loopback,
and no message ever leaves the machine.
"""

from dataclasses import dataclass

DOMAIN = "postbus.example"


@dataclass(frozen=True)
class DemoAccount:
    """Somebody with a mailbox on the demo server; the address is also the login name."""

    address: str
    name: str
    password: str


ADA = DemoAccount(f"ada@{DOMAIN}", "Ada Lindqvist", "demo-ada")
GRACE = DemoAccount(f"grace@{DOMAIN}", "Grace Okonkwo", "demo-grace")
# The rest of the world: what is sent to any other domain ends in this INBOX.
OUTSIDE = DemoAccount(f"outside@{DOMAIN}", "Everybody else", "demo-outside")

DEMO_ACCOUNTS = (ADA, GRACE, OUTSIDE)
