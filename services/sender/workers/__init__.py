"""What sender does without being told: send what is due, keep its leases, tidy up."""

from services.sender.workers.work import work

__all__ = ["work"]
