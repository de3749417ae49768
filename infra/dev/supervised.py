"""`python -m infra.dev.supervised`: supervisord, for which a full disk is no reason to end.

It writes down what its processes say. What it could not write it complained of on a file of the
same disk, and by that second failure it closed the pipe of who had spoken, and then itself.
"""

import contextlib

from supervisor import loggers, supervisord


class _Log(loggers.RotatingFileHandler):
    """A file for what a process says; what it has no room for is lost, and nothing else."""

    def handleError(self) -> None:
        """There is nowhere to say it: the disk is what `health` and the alerts look at."""

    def doRollover(self) -> None:
        try:
            super().doRollover()
        except (OSError, ValueError):  # ValueError: the file could not be opened the last time
            with contextlib.suppress(OSError):
                self.reopen()


loggers.RotatingFileHandler = _Log


if __name__ == "__main__":
    supervisord.main()
