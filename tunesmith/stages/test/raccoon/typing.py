"""How people type: typos, case, no punctuation, slips of the keyboard, emoji. None of it changes what is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from random import Random

from tunesmith.stages.test.raccoon.family import Change, Family, Material, Row
from tunesmith.stages.test.raccoon.phrases import phrases

#: One of so many longer words gets a typo, and one of so many letters a slip.
WORDS_A_TYPO = 5
LETTERS_A_SLIP = 18
#: A word shorter than this is left alone: with a letter changed it may be another word.
SHORTEST = 4

_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST},}}")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def typos(row: Row, material: Material, draw: Random) -> Change | None:
    """Letters of some words swapped, left out or doubled; each edit changes the length by one letter at most."""
    found = list(_WORD.finditer(row.text))
    if not found:
        return None
    chosen = sorted(draw.sample(range(len(found)), -(-len(found) // WORDS_A_TYPO)))
    text, edits = row.text, []
    for word in reversed([found[place] for place in chosen]):
        at = word.start() + draw.randrange(1, len(word[0]) - 1)
        kind = draw.choice(["swap", "drop", "double"])
        pair = text[at : at + 2]
        if kind == "swap" and pair[0] == pair[1]:
            kind = "double"
        text = text[:at] + {"swap": pair[::-1], "drop": pair[1], "double": pair[0] + pair}[kind] + text[at + 2 :]
        edits.append([kind, at])
    return Change(text, {"edits": edits[::-1]})


def casing(row: Row, material: Material, draw: Random) -> Change | None:
    """All capitals or all small letters; a letter that has no such form of one character stays."""
    ways: list[tuple[str, Callable[[str], str]]] = [("upper", str.upper), ("lower", str.lower)]
    draw.shuffle(ways)
    for name, way in ways:
        text = "".join(_in_case(character, way) for character in row.text)
        if text != row.text:
            return Change(text, {"case": name})
    return None


def _in_case(character: str, way: Callable[[str], str]) -> str:
    made = way(character)
    return made if len(made) == 1 and made.casefold() == character.casefold() else character


def no_punctuation(row: Row, material: Material, draw: Random) -> Change | None:
    """No punctuation, but for that within numbers: 12.50 is not 1250."""
    kept = []
    for place, character in enumerate(row.text):
        before, after = row.text[place - 1 : place], row.text[place + 1 : place + 2]
        if not is_punctuation(character) or (before.isdigit() and after.isdigit()):
            kept.append(character)
        elif character not in "'’" and before.isalnum() and after.isalnum():
            kept.append(" ")
    return Change("".join(kept), {"removed": sum(map(is_punctuation, row.text)) - sum(map(is_punctuation, kept))})


def is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")


def keyboard_slips(row: Row, material: Material, draw: Random) -> Change | None:
    """Some letters replaced by one that lies beside them on a QWERTY keyboard; the length stays."""
    places = [
        place
        for word in _WORD.finditer(row.text)
        for place in range(word.start() + 1, word.end())
        if row.text[place].lower() in _NEIGHBOURS
    ]
    if not places:
        return None
    letters = list(row.text)
    chosen = sorted(draw.sample(places, -(-len(places) // LETTERS_A_SLIP)))
    for place in chosen:
        slip = draw.choice(_NEIGHBOURS[letters[place].lower()])
        letters[place] = slip.upper() if letters[place].isupper() else slip
    return Change("".join(letters), {"places": chosen})


def _beside(row: int, place: int) -> str:
    found = _KEYS[row][max(0, place - 1) : place] + _KEYS[row][place + 1 : place + 2]
    return found + (_KEYS[row + 1][place : place + 1] if row + 1 < len(_KEYS) else "")


_NEIGHBOURS = {key: _beside(row, place) for row, keys in enumerate(_KEYS) for place, key in enumerate(keys)}


def emoji(row: Row, material: Material, draw: Random) -> Change | None:
    """Emoji behind some words and three at the end; without them the text is what it was."""
    known = phrases()["typing"]["emoji"]
    pieces = re.split(r"( )", row.text)
    gaps = [place for place, piece in enumerate(pieces) if piece == " "]
    chosen = draw.sample(gaps, min(len(gaps), 1 + len(gaps) // 8))
    for place in chosen:
        pieces[place] = f" {draw.choice(known)} "
    end = "".join(draw.choices(known, k=3))
    return Change(f"{''.join(pieces)} {end}", {"within": len(chosen), "end": end})


FAMILIES = (
    Family("typos", "typos", "same", "letters swapped, left out or doubled in some words", typos),
    Family("casing", "other casing", "same", "all capitals, or no capitals", casing),
    Family("no_punctuation", "text without punctuation", "same", "punctuation left out", no_punctuation),
    Family("keyboard_slips", "keyboard slips", "same", "letters replaced by their neighbours", keyboard_slips),
    Family("emoji", "emoji", "same", "emoji between words and at the end", emoji),
)
