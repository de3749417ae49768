"""`python -m services.sender`"""

from services.sender.app import main
from shared.telemetry import run

if __name__ == "__main__":
    run(main)
