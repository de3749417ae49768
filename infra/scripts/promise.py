"""Write docs/openapi.json: what the HTTP API has promised, to be kept by what comes after.

Run with each release, by `python -m infra.scripts.promise`. In between the API may grow;
tests/api/test_promise.py refuses what would break somebody who relies on the document.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pydantic import SecretStr

from services.api.http.gateway import application
from services.api.settings import Settings
from services.api.world import World

PROMISE = Path(__file__).parents[2] / "docs/openapi.json"
_NOWHERE = SecretStr("nowhere")


def document() -> dict[str, Any]:
    """The OpenAPI document of this release; nothing is asked of any server for it."""
    settings = Settings(
        database_url=_NOWHERE,
        request_database_url=_NOWHERE,
        bus_url=_NOWHERE,
        jwt_keys_file=Path("nowhere"),
        seal_keys_dir=Path("nowhere"),
        own_keys_dir=Path("nowhere"),
    )
    world = cast("World", SimpleNamespace(settings=settings))
    return json.loads(application(world).state.openapi)


def main() -> int:
    """Write it, in an order and a form that differences can be read in."""
    found = document()
    found["info"].pop("version", None)
    PROMISE.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"written: {PROMISE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
