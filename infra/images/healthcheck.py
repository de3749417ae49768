"""Whether the process of this container answers: 0 when its /health says so."""

import os
import sys
from http.client import HTTPConnection, HTTPException

SECONDS = 3.0


def main() -> int:
    service = os.environ["POSTBUS_SERVICE"].upper()
    port = os.environ[f"{service}_PROBE_PORT"]
    connection = HTTPConnection("127.0.0.1", int(port), timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"no answer: {error or type(error).__name__}")
        return 1
    finally:
        connection.close()
    print(f"/health: {status}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
