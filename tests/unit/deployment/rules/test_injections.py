"""The list of prompt injections: each pattern catches its own texts, and none the others."""

from __future__ import annotations

import csv
import json
import re
import time

import pytest

from tests.repo.modules import ROOT
from tunesmith.deployment.rules.injections import Injection, is_injection, known


@pytest.mark.parametrize("one", known(), ids=lambda one: f"{one.language}-{one.name}")
def test_a_pattern_catches_what_it_is_for_and_no_more(one: Injection) -> None:
    assert len(one.caught) >= 3
    assert len(one.passes) >= 2
    assert [text for text in one.caught if not is_injection(text, [one.language])] == []
    assert [text for text in one.passes if is_injection(text)] == []


def test_patterns_are_in_the_form_that_texts_are_compared_in() -> None:
    """Without capitals and accents, or they would never match; without RE2's classes, which know ASCII alone."""
    assert len(known()) >= 30
    for one in known():
        assert one.pattern == one.pattern.lower(), one.name
        assert not re.search(r"\\[wWsSB]", one.pattern), one.name
        assert not (one.of_words and "\\b" in one.pattern), one.name


def test_ordinary_questions_are_no_injections() -> None:
    examples = ROOT / "examples"
    with (examples / "support-desk" / "tickets.csv").open(encoding="utf-8") as file:
        texts = [text for row in csv.DictReader(file) for text in row.values()]
    lines = (examples / "ticket-routing" / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    texts += [value for line in lines for value in json.loads(line).values() if isinstance(value, str)]
    assert len(texts) > 2000
    assert [text for text in texts if is_injection(text)] == []


def test_a_long_text_is_read_in_time() -> None:
    text = "please ignore all the " * 20_000
    began = time.process_time()
    assert not is_injection(text)
    assert time.process_time() - began < 5
