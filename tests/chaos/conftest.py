"""What the stories of lies stand on: sync in this process."""

from tests.sync.conftest import sync, user

__all__ = ["sync", "user"]
