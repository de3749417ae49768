"""Which part of which message, and whose, in one word for a link that names it alone."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from services.api.domain.refusals import ImageLinkInvalid
from shared.contracts.ids import Kind, NotAnId, read, shown


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message: an image that its HTML shows."""

    tenant_id: UUID
    account_id: UUID
    message_id: UUID
    number: int

    def shown(self) -> str:
        """As a link says it."""
        ids = (
            shown(Kind.TENANT, self.tenant_id),
            shown(Kind.ACCOUNT, self.account_id),
            shown(Kind.MESSAGE, self.message_id),
        )
        return ".".join((*ids, str(self.number)))

    @classmethod
    def read(cls, said: str) -> Self:
        """Raises ImageLinkInvalid."""
        try:
            tenant, account, message, number = said.split(".")
            return cls(
                read(Kind.TENANT, tenant),
                read(Kind.ACCOUNT, account),
                read(Kind.MESSAGE, message),
                int(number),
            )
        except (ValueError, NotAnId) as error:
            raise ImageLinkInvalid from error
