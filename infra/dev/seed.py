"""The demo login and its mailboxes, made through the HTTP API like anybody's."""

EMAIL = "demo@postbus.example"
PASSWORD = "demo-postbus"  # noqa: S105  public, like the mail it opens


def seed(home: object) -> None:
    """"""
