"""Short questions and answers, as many as wanted: with exact and near copies of earlier rows, and private values.

A row follows from its number alone, so that no earlier row is held in memory.
"""

from __future__ import annotations

import functools
import json
import random
import string
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.private_rows import makers, planted

EXACT_EVERY = 20  # 5 %
NEAR_EVERY = 10
PRIVATE_EVERY = 50  # 2 %
LOCALE = "en_US"
_NEAR_AT, _PRIVATE_AT = 5, 7  # so that no row is of two sorts
VOCABULARY = """\
a about account after again all also always an and another any are as ask at back bag battery because been before best
between bill black blue box bring broken but button buy by call can card case change charge check city clean clear click
close code cold colour come cost could country customer damaged date day deliver desk did different do does door down
each early email empty end enter error even every fast few file find first fit fix for form found free from full get
give go good green had half hand has have heavy help here hold home hour house how if in inside into is it item just
keep key kind know large last late leave left less letter light like line link list long look lost made mail make many
may me mean message might money month more morning most move much must my name near need never new next no not note now
number of off offer office often old on once one only open or order other our out over own page paid pair paper part
pay phone place plan please point post price print problem put question quick read ready reason receipt red refund
reply report reset return right room run same save say screen second see send set shop short should show side sign
since size small so some soon spare start state step still stock stop store such sure take tell text than that the
their them then there these they thing this those three time to today told too top total track try turn two type under
until up update us use used very visit wait want was watch water way we week well went were what when where which while
white who why will window with without word work would write wrong year yes yet you your"""
WORDS = VOCABULARY.split()


def lines(rows: int, seed: int = 0) -> Iterator[str]:
    """The rows as lines of JSON, a question and an answer each, together 30 to 70 words."""
    for number in range(rows):
        if is_exact(number):
            yield line(original(number, seed), seed)
        elif is_near(number):
            yield near(number, seed)
        else:
            yield line(number, seed)


def is_exact(number: int) -> bool:
    """Whether the row repeats an earlier one as it stands."""
    return (number + 1) % EXACT_EVERY == 0


def is_near(number: int) -> bool:
    """Whether the row is an earlier one with a letter wrong in the question and another word in the answer."""
    return number % NEAR_EVERY == _NEAR_AT


def is_private(number: int, seed: int = 0) -> bool:
    """Whether a private value stands in the row, its own or that of the row it is a copy of."""
    own = original(number, seed) if is_exact(number) or is_near(number) else number
    return own % PRIVATE_EVERY == _PRIVATE_AT


def original(number: int, seed: int) -> int:
    """The earlier row that a copy is of; it is no copy itself."""
    chosen = random.Random(f"{seed} repeats {number}").randrange(number)
    return chosen - 1 if is_exact(chosen) or is_near(chosen) else chosen


def line(number: int, seed: int) -> str:
    question, answer = _texts(number, seed)
    return json.dumps({"question": question, "answer": answer}) + "\n"


def near(number: int, seed: int) -> str:
    """A copy of an earlier row that a person would take for the same."""
    draw = random.Random(f"{seed} near {number}")
    question, answer = _texts(original(number, seed), seed)
    letters = [place for place, character in enumerate(question) if character.islower()]
    wrong = draw.choice(letters[:20])  # before any private value
    question = question[:wrong] + draw.choice(string.ascii_lowercase) + question[wrong + 1 :]
    words = answer.split(" ")
    words[draw.randrange(1, 10)] = draw.choice(WORDS)
    return json.dumps({"question": question, "answer": " ".join(words)}) + "\n"


def _texts(number: int, seed: int) -> tuple[str, str]:
    draw = random.Random(f"{seed} {number}")
    question = f"{' '.join(draw.choices(WORDS, k=draw.randint(10, 22))).capitalize()}?"
    answer = " ".join(draw.choices(WORDS, k=draw.randint(20, 48)))
    if number % PRIVATE_EVERY == _PRIVATE_AT:
        question = f"{question} {_private(f'{seed} private {number}')}"
    return question, f"{answer.capitalize()}."


def _private(key: str) -> str:
    """A sentence with a private value of any kind."""
    faker, draw, makers = _planter()
    faker.seed_instance(key)
    draw.seed(key)
    kind = draw.choice(sorted(makers))
    return planted(kind, makers[kind](), LOCALE, draw).text


@functools.cache
def _planter() -> tuple[Any, random.Random, dict[str, Callable[[], str]]]:
    from faker import Faker

    faker, draw = Faker(LOCALE), random.Random()
    return faker, draw, makers(faker, LOCALE, draw)
