"""`python -m services.sync`: the listen or the answer role, as SYNC_ROLE says."""

from services.sync.app import main
from shared.telemetry import run

if __name__ == "__main__":
    run(main)
