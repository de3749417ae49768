"""How well our threads are those that others make of the same mail.

Counted are pairs of messages in one thread: how many of ours are theirs too (precision), how many
of theirs are ours too (recall), and F1 of both. A false merge is a thread of ours in which messages
of several of theirs stand. Others join by subject too; we never do, because strangers write about
the same thing.
"""

import gzip
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from uuid import UUID

from services.sync.domain.parse import Parsed, parse
from services.sync.domain.threading import Named, join
from tests.corpora import corpora, messages

Group = frozenset[str]


@dataclass(frozen=True)
class Compared:
    """Our threads beside theirs."""

    sets: int  # of theirs
    same: int  # of them, ours exactly
    precision: float
    recall: float
    false_merges: int

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def compared() -> dict[str, Compared]:
    """By the name of the set; nothing where there are no corpora."""
    folder = corpora()
    if folder is None:
        return {}
    raws = dict(messages())
    found: dict[str, Compared] = {}
    expected = json.loads((folder / "spamassassin" / "expected-threads.json").read_text("utf-8"))
    ours = _threads({name: raw for name, raw in raws.items() if name.startswith("spamassassin/")})
    for name, groups in expected.items():
        theirs = [frozenset(f"spamassassin/{file}" for file in group) for group in groups]
        found[f"spamassassin_{name}"] = compare(theirs, ours)
    ours, theirs = _imaptest(folder / "threading" / "imaptest-tests", raws)
    found["imaptest_references"] = compare(theirs, ours)
    prefix = "threading/jwzthreading/data/fedora-devel-mailman/"
    month = {name: raw for name, raw in raws.items() if name.startswith(prefix)}
    page = gzip.decompress((folder / f"{prefix}2010-January_thread.html.gz").read_bytes())
    theirs = _of_page(page.decode("latin-1"), month)
    found["fedora_thread_page"] = compare(theirs, _threads(month))
    return found


def compare(theirs: list[Group], ours: list[Group]) -> Compared:
    """Messages that they say nothing of do not count."""
    known = frozenset(itertools.chain.from_iterable(theirs))
    ours = [group for group in (group & known for group in ours) if group]
    group_of = {file: number for number, group in enumerate(theirs) for file in group}
    mine, wanted = _pairs(ours), _pairs(theirs)
    both = sum(_pairs_in(count) for group in ours for count in _split(group, group_of).values())
    return Compared(
        sets=len(theirs),
        same=len(set(theirs) & set(ours)),
        precision=both / mine if mine else 1.0,
        recall=both / wanted if wanted else 1.0,
        false_merges=sum(len(_split(group, group_of)) > 1 for group in ours),
    )


def _split(group: Group, group_of: dict[str, int]) -> Counter[int]:
    return Counter(group_of[file] for file in group)


def _pairs(groups: Iterable[Group]) -> int:
    return sum(_pairs_in(len(group)) for group in groups)


def _pairs_in(count: int) -> int:
    return count * (count - 1) // 2


def _threads(raws: dict[str, bytes]) -> list[Group]:
    """Our threads of these messages."""
    counter = itertools.count(1)
    named = [_named(parse(raw)) for raw in raws.values()]
    joined = join(named, {}, new_thread=lambda: UUID(int=next(counter)))
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    for name, thread in zip(raws, joined.threads, strict=True):
        found[thread].add(name)
    return [frozenset(group) for group in found.values()]


def _named(parsed: Parsed) -> Named:
    return Named(parsed.message_id, parsed.references, parsed.in_reply_to)


# --- What the others say ------------------------------------------------------------------------

_ANSWER = re.compile(r"^\* thread +(\(.*\))\s*$", re.IGNORECASE | re.MULTILINE)
_ENTRY = re.compile(
    r'(?P<open><ul>)|(?P<close></ul>)|<a name="\d+" href="msg\d+\.html">(?P<subject>.*?)</a>'
    r"</strong>,\s*<em>(?P<author>.*?)</em>",
    re.IGNORECASE | re.DOTALL,
)


def _imaptest(folder: Path, raws: dict[str, bytes]) -> tuple[list[Group], list[Group]]:
    """Ours and the first answer of each script: of as many messages as it names."""
    ours: list[Group] = []
    theirs: list[Group] = []
    for script in sorted(path for path in folder.iterdir() if path.name.startswith("thread")):
        text = script.read_text("latin-1") if script.suffix != ".mbox" else ""
        answer = _ANSWER.search(text)
        if answer is None or "THREAD=REFERENCES" not in text:
            continue
        groups = list(_top_level(answer[1]))
        prefix = f"threading/imaptest-tests/{script.name}.mbox"
        theirs += [frozenset(f"{prefix}#{number}" for number in group) for group in groups]
        count = max(itertools.chain.from_iterable(groups))
        ours += _threads(
            {f"{prefix}#{number}": raws[f"{prefix}#{number}"] for number in range(1, count + 1)}
        )
    return ours, theirs


def _top_level(answer: str) -> Iterable[list[int]]:
    depth, start = 0, 0
    for at, sign in enumerate(answer):
        if sign == "(":
            start = at if depth == 0 else start
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                yield [int(number) for number in re.findall(r"\d+", answer[start:at])]


def _of_page(page: str, raws: dict[str, bytes]) -> list[Group]:
    """The threads of an archive's page, whose messages are known by author and subject only.

    Of messages that share both it is not known which is which: they are left out.
    """
    files: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, raw in raws.items():
        parsed = parse(raw)
        author = parsed.sender.name or parsed.sender.email if parsed.sender else ""
        files[_subject(parsed.subject), author.lower()].append(name)
    listed: list[list[tuple[str, str]]] = []
    depth = 0
    for entry in _ENTRY.finditer(page):
        if entry["open"]:
            depth += 1
        elif entry["close"]:
            depth -= 1
        else:
            if depth == 1:
                listed.append([])
            author = " ".join(unescape(entry["author"]).split()).lower()
            listed[-1].append((_subject(unescape(entry["subject"])), author))
    times = Counter(itertools.chain.from_iterable(listed))
    groups = (
        frozenset(
            files[one][0] for one in thread if times[one] == 1 and len(files.get(one, ())) == 1
        )
        for thread in listed
    )
    return [group for group in groups if group]


def _subject(text: str) -> str:
    """Without what the archive or the list puts in front."""
    return " ".join(re.sub(r"^(?:\s*(?:re:|\[[^\]]*\]))+", "re:", text.lower()).split())
