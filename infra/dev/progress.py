"""What a person sees while things start: a spinner on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Generator

from rich.console import Console
from rich.text import Text


class Progress:
    """Steps that take time, told one by one."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    @contextlib.contextmanager
    def step(self, what: str) -> Generator[None]:
        """Tell that it is under way, and then how long it took."""
        began = time.monotonic()
        waiting = (
            self._console.status(Text(f"{what} …"))
            if self._console.is_terminal
            else contextlib.nullcontext()
        )
        with waiting:
            yield
        took = f"{time.monotonic() - began:.1f} s"
        self._console.print(
            Text.assemble(("✓ ", "green"), what, (f"  {took}", "dim"))
            if self._console.is_terminal
            else Text(f"{what}: {took}")
        )
