"""`python -m shared.seal`: make seal keys and hand out their public halves."""

import argparse
import sys
from pathlib import Path

from shared.seal.errors import KeysUnusable
from shared.seal.keys import new_key, publish


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.seal", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("new-key", help="make a key pair that seals from now on")
    make.add_argument("directory", type=Path, help="the keys of sync or of sender")
    copy = commands.add_parser("public", help="copy the public halves to the api's directory")
    copy.add_argument("directory", type=Path, help="the keys of sync or of sender")
    copy.add_argument("out", type=Path, help="where the api finds them")
    given = parser.parse_args()
    try:
        if given.command == "new-key":
            sys.stdout.write(f"{new_key(given.directory)}\n")
        else:
            sys.stdout.writelines(f"{key}\n" for key in sorted(publish(given.directory, given.out)))
    except (KeysUnusable, OSError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
