"""What a handler may say about a message it could not handle."""


class Retry(Exception):
    """The world was not ready for this message; deliver it again after a while."""

    def __init__(self, reason: str, *, after_seconds: float = 2.0) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class GiveUp(Exception):
    """This message can never be handled; bury it with the reason, then go on."""
