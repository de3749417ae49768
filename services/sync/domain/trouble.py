"""Why an account rests, and who has to wait with it."""

from dataclasses import dataclass

from services.sync.domain.provider_limits import Limit, LimitKind, Scope
from services.sync.domain.reason import Reason
from shared.contracts.account import AccountState

#: How servers end sessions that were quiet, or that lasted long: nothing to tell anybody of.
_ENDINGS = frozenset({Reason.CONNECTION_LOST, Reason.SERVER_SAID_BYE, Reason.SERVER_SILENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong, in our words and the server's."""

    state: AccountState
    reason: Reason
    server_said: str | None
    limit: Limit | None = None  # what the server has too much of
    of_host: bool = False  # everybody who uses this server finds the same

    @property
    def is_an_ending(self) -> bool:
        """Whether a session ended as sessions do; only when it happens again it is trouble."""
        return self.limit is None and self.reason in _ENDINGS

    @property
    def asked_by_server(self) -> bool:
        """Whether the server wants us to wait, and not only we find it wise."""
        return self.limit is not None

    @property
    def refuses_connection(self) -> bool:
        """Whether the account has as many connections open as the server allows it."""
        return (
            self.limit is not None
            and self.limit.kind is LimitKind.CONNECTIONS
            and self.limit.scope is Scope.ACCOUNT
        )
