"""What can be taken back of what people want done."""

from shared.contracts.intent import CarryIntent, Copy, Destroy


def is_final(command: CarryIntent) -> bool:
    """Whether nothing takes back what this does."""
    return command.mailbox is not None or any(
        isinstance(step.change, Destroy) for step in command.steps
    )


def has_copied(command: CarryIntent) -> bool:
    """Whether there are messages that are only there by it."""
    return any(isinstance(step.change, Copy) for step in command.steps)
