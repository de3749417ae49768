"""Each service does what its card says, and the catalogue says the same."""

import importlib
import re

import pytest

from shared.contracts.catalogue import FACTS, NUDGES, ORDERS, QUESTIONS, SERVICES, durable


def card_of(service: str) -> dict[str, set[str]]:
    """The card in the service's docstring: what it hears, obeys, tells, answers, asks …"""
    text = importlib.import_module(f"services.{service}").__doc__ or ""
    card: dict[str, set[str]] = {}
    heading = ""
    for line in text.splitlines():
        found = re.match(r"^(\w+):\s+(.*)$", line)
        if found:
            heading, rest = found[1], found[2]
        elif heading and line.startswith("  "):
            rest = line
        else:
            heading = ""
            continue
        card.setdefault(heading, set()).update(re.findall(r"[A-Za-z_]\w*", rest))
    return card


@pytest.mark.parametrize("service", SERVICES)
def test_the_card_and_the_catalogue_agree(service: str) -> None:
    card = card_of(service)
    catalogue = {
        "Hears": {f.contract.__name__ for f in FACTS if service in f.listeners},
        "Obeys": {o.contract.__name__ for o in ORDERS if o.obeys == service},
        "Tells": {f.contract.__name__ for f in FACTS if f.voice == service},
        "Answers": {q.contract.__name__ for q in QUESTIONS if q.answers == service},
        "Asks": {q.contract.__name__ for q in QUESTIONS if service in q.askers},
        "Commands": {o.contract.__name__ for o in ORDERS if service in o.givers},
    }
    for heading, contracts in catalogue.items():
        assert card.get(heading, set()) - {"nothing", "Nothing", "none"} == contracts, heading


@pytest.mark.parametrize("service", SERVICES)
def test_the_code_listens_to_what_the_catalogue_says(service: str) -> None:
    ears = importlib.import_module(f"services.{service}.subscribers").ears
    assert ears.contracts == {
        *(f.contract for f in FACTS if service in f.listeners),
        *(o.contract for o in ORDERS if o.obeys == service),
        *(q.contract for q in QUESTIONS if q.answers == service),
        *(n.contract for n in NUDGES if service in n.listeners),
    }


def test_every_fact_has_one_voice_and_every_command_one_that_obeys() -> None:
    facts = [fact.contract.channel for fact in FACTS]
    orders = [order.contract.channel for order in ORDERS]
    assert len(facts) == len(set(facts))
    assert len(orders) == len(set(orders))
    assert {fact.voice for fact in FACTS} <= set(SERVICES)
    for order in ORDERS:
        assert order.contract.channel.startswith(f"{order.obeys}."), order


def test_channels_are_three_lower_case_words_and_queries_are_in_no_stream() -> None:
    word = r"[a-z_]+"
    for fact in FACTS:
        assert re.fullmatch(rf"(mail|fill)\.{word}\.({word}|\*)", fact.contract.channel)
    for question in QUESTIONS:
        assert re.fullmatch(rf"query\.{word}\.{word}", question.contract.channel)
    for nudge in NUDGES:
        assert re.fullmatch(rf"hint\.{word}\.{word}", nudge.contract.channel)


def test_consumers_have_names_that_nats_accepts() -> None:
    names = [
        durable(service, contract)
        for service in SERVICES
        for contract in (f.contract for f in FACTS if service in f.listeners)
    ]
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)
    assert len(names) == len(set(names))
