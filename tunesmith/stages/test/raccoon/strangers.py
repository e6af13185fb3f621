"""What is none of the model's business: off-topic and unknown questions, another language, nothing, only numbers."""

from __future__ import annotations

from random import Random

from tunesmith.language import is_other
from tunesmith.scoring.words import words
from tunesmith.stages.test.raccoon.family import Change, Family, Material
from tunesmith.stages.test.raccoon.phrases import phrases

#: Words of fewer letters say little about what a question is about.
LONG = 5
#: A question most of whose longer words stand in the user's rows may be on topic.
MOST_KNOWN = 0.5
NUMBERS = 400
_NOTHING = ("", " ", "\n", "\t", "…", "...", "\n\n\n", "-", "?", ".", "   \n  ", "–")


def off_topic(material: Material, draw: Random) -> list[Change]:
    """Questions of other walks of life, those left out that may be on topic here."""
    known = {word for row in material.rows for word in words(row.text)}
    return _shuffled([text for text in phrases()["off_topic"] if not _may_be_on_topic(text, known)], draw)


def _may_be_on_topic(text: str, known: set[str]) -> bool:
    long = [word for word in words(text) if len(word) >= LONG]
    return sum(word in known for word in long) > MOST_KNOWN * len(long)


def unknowable(material: Material, draw: Random) -> list[Change]:
    """Questions that nobody can answer."""
    return _shuffled(phrases()["unknowable"], draw)


def other_language(material: Material, draw: Random) -> list[Change]:
    """Sentences in languages that the user's rows are not in."""
    found = [
        Change(text, {"language": code})
        for code, texts in phrases()["other_language"].items()
        if all(is_other(code, known) for known in material.languages)
        for text in texts
    ]
    draw.shuffle(found)
    return found


def empty(material: Material, draw: Random) -> list[Change]:
    """Nothing, in its several forms."""
    return _shuffled(_NOTHING, draw)


def only_numbers(material: Material, draw: Random) -> list[Change]:
    """Digits and spaces alone."""
    found: list[Change] = []
    for _ in range(NUMBERS):
        groups = [str(draw.randrange(10 ** draw.randint(1, 6))) for _ in range(draw.randint(1, 4))]
        found.append(Change(" ".join(groups), {}))
    return list({change.text: change for change in found}.values())


def _shuffled(texts: tuple[str, ...] | list[str], draw: Random) -> list[Change]:
    found = [Change(text) for text in texts]
    draw.shuffle(found)
    return found


FAMILIES = (
    Family("off_topic", "off-topic questions", "unknown", "from other walks of life", strangers=off_topic),
    Family("unknowable", "questions that nobody can answer", "unknown", "about what is not told", strangers=unknowable),
    Family("other_language", "another language", "unknown", "that none of your rows is in", strangers=other_language),
    Family("empty", "empty text", "unknown", "nothing, or a sign or two", strangers=empty),
    Family("only_numbers", "numbers alone", "unknown", "digits and spaces", strangers=only_numbers),
)
