"""How a process shows what it does: logs, probes, metrics, and a clean end."""

from shared.telemetry.ending import end, until_one_ends
from shared.telemetry.logs import configure, log_context
from shared.telemetry.probes import Check, Readiness, probes_app, readiness, serve_probes
from shared.telemetry.process import run
from shared.telemetry.serving import AddressTaken, serve
from shared.telemetry.settings import LogSettings, TelemetrySettings

__all__ = [
    "AddressTaken",
    "Check",
    "LogSettings",
    "Readiness",
    "TelemetrySettings",
    "configure",
    "end",
    "log_context",
    "probes_app",
    "readiness",
    "run",
    "serve",
    "serve_probes",
    "until_one_ends",
]
