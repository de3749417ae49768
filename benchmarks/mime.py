"""How far we agree with other parsers about mail, and how fast we read it beside them.

Agreement field by field with what others made of the same mail, threads and quoted history beside
what they should be, and messages per second beside the standard library and the fastest parser
found. Run by `./just bench mime`; fails when a difference is not explained. `--write` writes
docs/mime-differences.md anew.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import hardware
from benchmarks.mime_bench import quotes, threads
from benchmarks.mime_bench.agreement import counted, rows
from benchmarks.mime_bench.differences import explanation_of, stale
from benchmarks.mime_bench.speed import made, speeds
from benchmarks.mime_bench.table import PATH, table
from benchmarks.say import say, title
from tests.corpora import messages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PATH.name}")
    arguments = parser.parse_args()
    began = time.monotonic()
    machine = hardware()
    raws = [raw for _, raw in messages()]
    figures: dict[str, object] = {"messages": len(raws)}
    unexplained: list[str] = []
    if raws:
        unexplained = agreement(figures, write=arguments.write)
        quoted(figures)
    else:
        say("The corpora are not beside the project: only speed is measured, on mail made here.")
        raws = list(made(2_000))
    title("messages per second of the processor")
    say(f"{len(raws)} messages, {sum(map(len, raws)) / 1e6:.1f} MB")
    figures |= speeds(raws)
    say(
        json.dumps(
            {"benchmark": "mime"}
            | figures
            | {"unexplained": len(unexplained)}
            | machine
            | {"seconds": round(time.monotonic() - began)}
        )
    )
    return bool(unexplained)


def agreement(figures: dict[str, object], *, write: bool) -> list[str]:
    """Ours beside theirs; the names of the differences that nobody can explain."""
    title("agreement with other parsers")
    compared = rows()
    for (corpus, field), (same, of) in counted(compared).items():
        say(f"{corpus:14} {field:20} {same:5}/{of:<5} {same / of:8.2%}")
        figures[f"{corpus}_{field}_agreement".replace("-", "_")] = round(same / of, 4)
    different = [row for row in compared if not row.same]
    unexplained = [row for row in different if explanation_of(row) is None]
    say(f"{len(different)} differences, {len(unexplained)} not explained")
    for row in unexplained:
        say(f"NOT EXPLAINED: {row.name}: {row.theirs!r:.300} is {row.ours!r:.300} to us")
    for name in stale(compared):
        say(f"explained, but there is no difference: {name}")
    title("threads")
    found = threads.compared()
    for name, each in found.items():
        say(
            f"{name:52} {each.same:4}/{each.sets:<4} the same, F1 {each.f1:.4f} "
            f"(precision {each.precision:.4f}, recall {each.recall:.4f}), "
            f"{each.false_merges} false merges"
        )
        figures[f"threads_{name}_f1"] = round(each.f1, 4)
        figures[f"threads_{name}_false_merges"] = each.false_merges
    written = table(compared, found)
    if write:
        PATH.write_text(written, "utf-8")
    elif not PATH.exists() or PATH.read_text("utf-8") != written:
        say(f"{PATH.name} is not as measured: run this with --write")
    return [row.name for row in unexplained]


def quoted(figures: dict[str, object]) -> None:
    """What is left of an answer when quoted history and signature are cut."""
    title("clean text")
    for name, (good, of) in quotes.compared().items():
        say(f"{name:52} {good:4}/{of:<4} {good / of:8.2%}")
        figures[f"quotes_{name}"] = round(good / of, 4)


if __name__ == "__main__":
    sys.exit(main())
