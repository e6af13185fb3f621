"""Two rows in one text: several questions at once, and details that a later sentence takes back."""

from __future__ import annotations

from random import Random

from tunesmith.scoring.labels import plain
from tunesmith.stages.test.raccoon.family import Change, Family, Material, Row

_ALSO = ("Also, something else: ", "Another thing while I am here. ", "And a second question. ")
_SCRAP = (
    "No, wait, scrap all of that, it was about something else. What I do want to say is this: ",
    "Sorry, please forget what I wrote above, that was a mistake. My actual message is: ",
    "Correction, none of the above is true. What is true: ",
)


def several_questions(row: Row, material: Material, draw: Random) -> Change | None:
    """The row's text and another's, whose answer is another: an answer to either is right."""
    other = _other(row, material, draw)
    if other is None:
        return None
    joined = draw.choice(_ALSO)
    text = f"{row.text}\n\n{joined}{other.text}"
    return Change(text, {"with": other.id, "joined": joined}, of=(row, other))


def contradiction(row: Row, material: Material, draw: Random) -> Change | None:
    """Another row's text, taken back, and then the row's own: the answer due is the row's."""
    other = _other(row, material, draw)
    if other is None:
        return None
    scrapped = draw.choice(_SCRAP)
    return Change(f"{other.text}\n\n{scrapped}{row.text}", {"instead_of": other.id, "scrapped": scrapped}, of=(row,))


def _other(row: Row, material: Material, draw: Random) -> Row | None:
    others = [other for other in material.rows if plain(other.answer) != plain(row.answer)]
    return draw.choice(others) if others else None


FAMILIES = (
    Family("several_questions", "several questions at once", "either", "two rows in one text", several_questions),
    Family("contradiction", "contradictory details", "changed", "another row's text, taken back", contradiction),
)
