"""Run the demo mail server: `python -m infra.dev.demo --imap-port P --smtp-port Q --data DIR`."""

import argparse
import asyncio
import signal
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import structlog

from infra.dev.demo import DEMO_ACCOUNTS
from infra.dev.demo.imap import serve_imap
from infra.dev.demo.mailboxes import StoredMailboxes
from infra.dev.demo.seed import sow
from infra.dev.demo.storage import Storage
from infra.dev.demo.submission import serve_submission

HOST = "127.0.0.1"

log = structlog.get_logger()


async def run(imap_port: int, smtp_port: int, storage: Storage) -> None:
    """Serve until the process is asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    sow(storage, datetime.now(UTC))
    mailboxes = {each.address: StoredMailboxes(each.address, storage) for each in DEMO_ACCOUNTS}
    imap = await serve_imap(HOST, imap_port, DEMO_ACCOUNTS, mailboxes)
    smtp = await serve_submission(HOST, smtp_port, DEMO_ACCOUNTS, mailboxes)
    log.info("demo_mail_ready", imap_port=imap_port, smtp_port=smtp_port)
    await stop.wait()
    imap.close()
    smtp.close()
    log.info("demo_mail_stopped")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.dev.demo", description=__doc__)
    parser.add_argument("--imap-port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where the mail is kept")
    arguments = parser.parse_args()
    with closing(Storage(arguments.data)) as storage:
        asyncio.run(run(arguments.imap_port, arguments.smtp_port, storage))


if __name__ == "__main__":
    main()
