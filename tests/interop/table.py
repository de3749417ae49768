"""How every server did, as docs/standards.md shows it."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.interop.servers import CANDIDATES
from tests.servers.imap_server import ImapServer

BEGIN = "<!-- interop: written by ./just interop -->"
END = "<!-- /interop -->"

# What sync does differently where it is offered.
USED = (
    "QRESYNC", "CONDSTORE", "NOTIFY", "IDLE", "LIST-STATUS", "ESEARCH", "SPECIAL-USE", "OBJECTID",
    "UTF8=ACCEPT", "COMPRESS=DEFLATE", "UIDPLUS", "ID", "X-GM-EXT-1",
)  # fmt: skip

_MARKS = {"passed": "ok", "failed": "**failed**", "skipped": "–", "xfailed": "not yet"}


@dataclass
class Results:
    """What was heard of the stories of one run."""

    servers: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    stories: dict[str, dict[str, str]] = field(default_factory=dict)  # story → server → outcome
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)  # (story, server) → why not

    def met(self, name: str, server: ImapServer) -> None:
        offered = server.capabilities(server.new_user())
        self.servers[name] = (server.version(), [one for one in USED if one in offered])

    def absent(self, name: str, reason: str) -> None:
        self.missing[name] = reason

    def told(self, name: str, story: str, report: pytest.TestReport) -> None:
        """A part of a story (setting up, telling, cleaning up); the worst of them counts."""
        told = self.stories.setdefault(story, {})
        if report.when == "call" or report.outcome != "passed":
            outcome = (
                "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
            )
            if told.get(name) != "failed":
                told[name] = outcome
            if report.skipped and isinstance(report.longrepr, tuple):
                self.reasons[story, name] = report.longrepr[2].removeprefix("Skipped: ")

    def write(self, document: Path) -> None:
        """Put the table between its two marks, and leave the rest of the document."""
        if not self.servers:
            return  # nothing began
        text = document.read_text()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        if not rest:
            raise ValueError(f"{document} has no place for the table: {BEGIN} … {END}")
        document.write_text(f"{before}{BEGIN}\n\n{self.table()}\n{END}{after}")

    def table(self) -> str:
        names = [name for name in CANDIDATES if name in self.servers]
        lines = ["| server | offered and used |", "|---|---|"]
        lines += [f"| {self._title(name)} | {' '.join(self.servers[name][1])} |" for name in names]
        lines += [f"| {name} | not run: {reason} |" for name, reason in self.missing.items()]
        lines += ["", f"| story | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
        notes: list[str] = []
        for story, outcomes in self.stories.items():
            cells: list[str] = []
            for name in names:
                cell = _MARKS[outcomes[name]] if name in outcomes else ""
                reason = self.reasons.get((story, name))
                if reason is not None:
                    if reason not in notes:
                        notes.append(reason)
                    cell += f" {notes.index(reason) + 1}"
                cells.append(cell)
            lines.append(f"| {story} | {' | '.join(cells)} |")
        numbered = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
        return "\n".join([*lines, *(["", *numbered] if numbered else []), ""])

    def _title(self, name: str) -> str:
        version = self.servers[name][0]
        _, _, how = name.partition(" ")
        return f"{version} {how}".rstrip()
