"""What an operator does by hand, as `./just` does it."""

import asyncio
import os
import sys
from pathlib import Path

from tests.stories.stack import Stack

ROOT = Path(__file__).parents[2]


async def operate(stack: Stack, service: str, *command: str) -> tuple[int | None, str]:
    """Have a service's command done; how it ended, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.dev", "run", f"services.{service}", *command),
        cwd=ROOT,
        env=os.environ | {"POSTBUS_HOME": str(stack.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()
