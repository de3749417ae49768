"""A reader that some messages are too much for."""

import os
import signal
import sys
import time

from services.sync.actions import reader_process
from services.sync.domain.understand import Understood, understand


def mortal(*, raw: bytes, **more: object) -> Understood:
    if b"deadly" in raw:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"endless" in raw:
        time.sleep(600)
    if b"confusing" in raw:
        raise RecursionError
    return understand(raw=raw, **more)  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    reader_process.understand = mortal  # pyright: ignore[reportAttributeAccessIssue]
    reader_process.serve(float(sys.argv[1]))
