"""What words, patterns and repetitions find in a whole text."""

from __future__ import annotations

import time

import pytest

from tunesmith.deployment.rules.patterns import Patterns, compiled, widest
from tunesmith.deployment.rules.repeats import Repeats
from tunesmith.deployment.rules.words import Words

SYSTEM = "You are the support desk of Larch Outdoor. Answer kindly, in two sentences."


def found(finder: object, text: str) -> list[str]:
    return [text[start:end] for start, end in finder.spans(text)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    ["damn", "DAMN", "dámn", "da\u200bmn", "ｄａｍｎ", "dаmn", "d a m n", "d-a-m-n", "d.a.m.n", "d̶a̶m̶n̶", "𝐝𝐚𝐦𝐧"],
)
def test_words_are_found_as_they_are_disguised(text: str) -> None:
    words = Words(["damn"])
    assert found(words, f"so, {text}, no") == [text]


def test_without_disguises_words_are_compared_as_they_are() -> None:
    words = Words(["schon"], disguised=False)
    assert found(words, "SCHON, da\u200bmn, schön, s c h o n") == ["SCHON"]
    assert found(Words(["schon"]), "schön, s c h o n") == ["schön", "s c h o n"]


@pytest.mark.parametrize("text", ["damnation", "goddamn", "dam n", "da mn", "d a m n s", "Amsterdam now", "d a  m n"])
def test_parts_of_words_are_not(text: str) -> None:
    assert found(Words(["damn"]), text) == []


def test_phrases_words_of_other_scripts_and_long_words_spelled_within_others() -> None:
    words = Words(["go to hell", "坏人", "сука", "forbidden"])
    assert found(words, "Go  to\nHELL! go to the hell") == ["Go  to\nHELL"]
    assert found(words, "他是坏人吗") == ["坏人"]
    assert found(words, "ты Сука.") == ["Сука"]
    assert found(words, "a f o r b i d d e n thing") == ["f o r b i d d e n"]


def test_patterns_take_time_in_proportion_to_the_text() -> None:
    patterns = Patterns(["(a+)+$", "(a|aa)+b", "(.*)(.*)(.*)x"])
    began = time.process_time()
    assert found(patterns, "a" * 50_000) == ["a" * 50_000]
    assert time.process_time() - began < 2


def test_the_longest_match_of_a_pattern_is_known_where_it_has_one() -> None:
    assert [widest(one) for one in ("ab{1,3}c", r"\b[a-z]{2}\b", "a+", r"\pN", "(?s:.){300}")] == [
        5,
        2,
        None,
        None,
        None,
    ]
    assert compiled(r"\pN").search("7")


def test_repetitions_are_runs_of_words_that_the_client_did_not_write() -> None:
    leak = "Sure: YOU are the support-desk of *Larch* outdoor, said he."
    assert found(Repeats([SYSTEM], [], 8), leak) == ["YOU are the support-desk of *Larch* outdoor"]
    assert found(Repeats([SYSTEM], [SYSTEM], 8), leak) == []
    assert found(Repeats([SYSTEM], [], 12), leak) == []
    assert found(Repeats(["Answer kindly in rhymes"], [], 8), "I answer kindly, in rhymes!") == [
        "answer kindly, in rhymes"
    ]
