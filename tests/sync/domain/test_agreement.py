from collections import Counter

import pytest

from benchmarks.mime_bench import quotes, threads
from benchmarks.mime_bench.agreement import Row, counted, rows
from benchmarks.mime_bench.differences import explanation_of
from tests.corpora import corpora

pytestmark = pytest.mark.skipif(corpora() is None, reason="the corpora are not beside the project")

# How many fields of others' mail we read as others do. More is better; fewer is a step back.
AGREED = {
    ("spamassassin", "subject"): 1388,
    ("spamassassin", "from"): 1390,
    ("spamassassin", "date"): 1385,
    ("spamassassin", "text_ws_sha256"): 1287,
    ("spamassassin", "html_ws_sha256"): 72,
    ("spamassassin", "attachment_sha256"): 1340,
    ("mail-parser", "subject"): 34,
    ("mail-parser", "from"): 34,
    ("mail-parser", "to"): 34,
    ("mail-parser", "cc"): 34,
    ("mail-parser", "date"): 34,
    ("mail-parser", "message_id"): 34,
    ("mail-parser", "text"): 24,
    ("mail-parser", "html"): 30,
    ("mail-parser", "attachments"): 26,
    ("mime4j", "leaves"): 26,
}
#: Of each set of threads: how many of theirs are ours exactly, and how often we join too much.
THREADS = {
    "spamassassin_agreed_by_dovecot_and_cyrus_REFERENCES": (361, 0),
    "spamassassin_headers_only_components": (572, 1),
    "imaptest_references": (4, 1),
    "fedora_thread_page": (58, 0),
}
#: Of answers: how many, or how many of their lines, are as a person would cut them.
QUOTES = {
    "standard_replies": 12,
    "html_replies": 9,
    "signatures": 42,
    "quoted_lines_cut": 71,
    "own_lines_kept": 21,
}


@pytest.fixture(scope="module")
def compared() -> list[Row]:
    return rows()


def test_mail_is_read_as_others_read_it_or_it_is_known_why_not(compared: list[Row]):
    unexplained = [row.name for row in compared if not row.same and explanation_of(row) is None]
    assert unexplained == []


def test_no_fewer_fields_agree_with_other_parsers_than_did(compared: list[Row]):
    agreed = {key: same for key, (same, _) in counted(compared).items()}
    assert agreed.keys() >= AGREED.keys()
    fewer = {key: agreed[key] for key, floor in AGREED.items() if agreed[key] < floor}
    assert fewer == {}


def test_a_difference_that_is_explained_by_how_others_read_is_not_explained_otherwise(
    compared: list[Row],
):
    # The reasons are checked against what the others said: another answer is not explained.
    different = [row for row in compared if row.corpus == "spamassassin" and not row.same]
    kinds = Counter(explanation.title for row in different if (explanation := explanation_of(row)))
    assert len(kinds) >= 4
    for row in different:
        if row.field.endswith("_ws_sha256"):
            other = Row(row.corpus, row.file, row.field, "0" * 64, row.ours, row.raw)
            assert explanation_of(other) is None, row.name


def test_no_fewer_threads_are_what_others_make_of_them_and_no_more_are_joined_wrongly():
    found = threads.compared()
    assert found.keys() >= THREADS.keys()
    for name, (same, false_merges) in THREADS.items():
        assert found[name].same >= same, name
        assert found[name].false_merges <= false_merges, name


def test_no_less_history_is_cut_from_answers_and_no_fewer_own_words_are_kept():
    found = quotes.compared()
    assert found.keys() >= QUOTES.keys()
    assert {name: found[name][0] for name, floor in QUOTES.items() if found[name][0] < floor} == {}
