"""Run a command as another user: `as_user.py UID GID COMMAND…` (root only).

PostgreSQL refuses to run as root. `setpriv` of busybox cannot change users and `su` wants a
shell, so the few lines are our own. The process is replaced, never wrapped: signals reach it.
"""

import os
import sys


def main(arguments: list[str]) -> None:
    uid, gid, *command = arguments
    os.chdir("/")  # the caller's directory may be closed to the new user
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
