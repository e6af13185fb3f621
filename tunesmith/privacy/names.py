"""Names of people, organisations and places: which finds of a language model are one, and where they stand.

A model takes labels, products and the first word of a sentence for names. A word wrongly masked teaches the tuned model
to say [PERSON_1], so a find counts only where the text around it, its form or its length speak for it too.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from tunesmith.privacy.name_words import GIVEN_NAMES, NOT_NAMES, ORGANISATION_ENDINGS, PARTICLES
from tunesmith.privacy.plain_form import WORD, unmistakable
from tunesmith.privacy.span import Kind, Span


class Name(NamedTuple):
    """A name as the plain form of a text has it. ``key`` is what the name and its parts share.

    A ``part`` is one word of a longer name. It is not known at the start of a sentence that goes on (Will you, May I).
    """

    kind: Kind
    text: str
    key: str
    part: bool = False


_WORD = re.compile(WORD)
_SENTENCE_BEFORE = re.compile(r"(?:\A|[.!?:\n>\"“])\s*\Z")
_GOES_ON = re.compile(r"\s[a-z]")


def spans(text: str, names: Sequence[Name]) -> Iterator[Span]:
    """Every place of the names in a plain text, also where the model did not see them."""
    for name in names:
        at = text.find(name.text)
        while at >= 0:
            end = at + len(name.text)
            if not _WORD.match(text, end) and not (at and _WORD.match(text, at - 1)):
                before = text[max(0, at - 4) : at]
                if not (name.part and _SENTENCE_BEFORE.search(before) and _GOES_ON.match(text, end)):
                    yield Span(name.kind, at, end, name.key)
            at = text.find(name.text, end)


_TOKEN = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*\.?")
_LEADING = re.compile(
    r"(?:(?:the|a|an|hi|hello|hey|dear|thanks|thank|cheers|regards|mr|mrs|ms|miss|dr|prof|sir|madam)\b[.,]?\s+)+",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"(?:['’]s|[\s.,;:!?'\"’)(-])+\Z")
#: What is said before the name of a person.
_PERSON_BEFORE = re.compile(
    r"(?:\b(?:mr|mrs|ms|miss|mx|dr|prof|professor|dear|hi|hello|hey|hallo|thanks|thank\syou|regards|wishes|sincerely"
    r"|cheers|best|yours|signed|speaking\s(?:with|to)|(?:spoke|talked|talking)\s(?:with|to)|attn|attention|c/o|colleague"
    r"|my\s(?:wife|husband|son|daughter|mother|father|brother|sister|boss|manager|friend|name|assistant)(?:\sis)?"
    r"|i\sam|i['’]m|name\sis|named|called|this\sis"
    r"|(?:first|last|full|family|given|customer|client|patient|contact|user|sur|employee)[\s_]?name(?:\sis)?"
    r"|customer|client|patient|employee|sender|recipient|signature)\b[\s.,:=\"']{0,4})\Z",
    re.IGNORECASE,
)
_ARTICLE_BEFORE = re.compile(r"\b(?:the|a|an|this|these|our|your)\s\Z", re.IGNORECASE)
_ALONE_BEFORE = re.compile(r"\n[ \t]*[-–—~]?[ \t]*\Z")
_ALONE_AFTER = re.compile(r"[.!]?\s*\Z")
_ORGANISATION_BEFORE = re.compile(
    r"\b(?:(?:work|works|worked|working)\s(?:at|for)|employed\s(?:at|by)|on\sbehalf\sof"
    r"|(?:company|employer|firm|supplier|vendor|contractor|insurer)"
    r"(?:\sis|\sname|\scalled|\snamed)?)\b[\s:=,\"']{0,3}(?:the\s)?\Z",
    re.IGNORECASE,
)
_PLACE_BEFORE = re.compile(
    r"\b(?:in|from|to|near|at|of|around|outside|leaving|city|town|village|live\sin|lives\sin|visiting|via|for|location"
    r"|address|office|branch)\b[\s:=,\"']{0,3}(?:the\s)?\Z",
    re.IGNORECASE,
)


def judged(
    text: str, kind: Kind, start: int, end: int, dictionary: Container[str] = ()
) -> tuple[Kind, int, int] | None:
    """The name in a model's find ``text[start:end]``, without greetings, titles and marks; or None.

    A find that ends like the name of an organisation is one, whatever the model takes it for. What stands in the
    ``dictionary`` of the language is a name only where the words before say so.
    """
    if lead := _LEADING.match(text, start, end):
        start = lead.end()
    end -= len(found[0]) if (found := _TRAILING.search(text[start:end])) else 0
    words = text[start:end].split(" ")
    if not all(map(_TOKEN.fullmatch, words)) or not _is_capitalised(words):
        return None
    if any(word.casefold().rstrip(".") in NOT_NAMES for word in words):
        return None
    before, after = text[max(0, start - 40) : start], text[end : end + 40]
    if len(words) > 1 and words[-1].casefold().rstrip(".") in ORGANISATION_ENDINGS:
        return "organisation", start, end
    unknown = [word for word in words if word.casefold().strip(".") not in dictionary]
    if _ORGANISATION_BEFORE.search(before):
        return "organisation", start, end
    if _PERSON_BEFORE.search(before) and len(words[-1]) > 2 and not words[-1].isupper():
        return "person", start, end
    if kind == "person" and _is_person(words, before, after, len(unknown) == len(words)):
        return kind, start, end
    if kind == "place" and _is_place(words, before, dictionary):
        return kind, start, end
    return None


def _is_place(words: Sequence[str], before: str, dictionary: Container[str]) -> bool:
    """Whether the model's place is one: after such a word as in, and no two words of the language that are no place."""
    if (len(words[0]) < 4 and len(words) == 1) or words[0].isupper() or not _PLACE_BEFORE.search(before):
        return False
    plain = [word.casefold() for word in words]
    return len(words) == 1 or "_".join(plain) in dictionary or not all(word in dictionary for word in plain)


def _is_capitalised(words: Sequence[str]) -> bool:
    """Whether each word but the particles begins with a capital, and none is camel case or has but one letter."""
    capitals = [word for word in words if word.casefold() not in PARTICLES]
    return (
        0 < len(capitals) <= 5
        and len(words) <= 7
        and all(word[0].isupper() for word in capitals)
        and any(len(word) > 1 for word in capitals)
        and not any(re.match(r"[^\W\d_]{1,3}[A-ZÀ-Þ]{2}|[a-z]+[A-Z]", word) and not word.isupper() for word in words)
    )


def _is_person(words: Sequence[str], before: str, after: str, unknown: bool) -> bool:
    """Whether the model's person is one: by a first name, by standing alone, or as several words of no language."""
    if len(words) > 4 or any(word.isupper() and len(word) > 2 for word in words):
        return False
    if words[0].casefold() in GIVEN_NAMES:
        return not (_ARTICLE_BEFORE.search(before) and _GOES_ON.match(after))  # the Mary Jane shoes
    alone = bool(_ALONE_BEFORE.search(before) and _ALONE_AFTER.match(after))
    return len(words[-1]) > 2 and (alone or (unknown and len(words) > 1))


def gathered(found: Iterable[tuple[Kind, str]], stay: frozenset[tuple[str, ...]]) -> tuple[Name, ...]:
    """The names of one example: each once, a person's first and last word as parts; without those that stay."""
    whole: dict[str, Kind] = {}
    for kind, text in found:
        if words_of(text) not in stay:
            whole.setdefault(text, kind)
    names = [Name(kind, text, unmistakable(text)) for text, kind in whole.items()]
    parts: dict[str, Name] = {}
    for name in names:
        words = name.text.split(" ")
        if name.kind == "person" and len(words) > 1:
            for word in (words[0], words[-1]):
                if len(word) > 2 and word not in whole and words_of(word) not in stay and word[0].isupper():
                    parts.setdefault(word, Name("person", word, name.key, part=True))
    first = {part.text: part.key for part in parts.values()}
    longer = {name.text: name.key for name in names if " " in name.text and name.kind == "person"}
    return (*(_joined(name, longer) for name in names), *(parts[word] for word in first))


def _joined(name: Name, longer: dict[str, str]) -> Name:
    """The name with the key of a longer one of which it is the first or last word: Anna is Anna Schmidt."""
    if name.kind != "person" or " " in name.text:
        return name
    for text, key in longer.items():
        words = text.split(" ")
        if name.text in (words[0], words[-1]):
            return name._replace(key=key)
    return name


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name or label, however they are written together."""
    return tuple(re.findall(r"[^\W_]+", text.casefold()))


def staying(texts: Iterable[str], longest: int = 6) -> frozenset[tuple[str, ...]]:
    """What is no private name: these texts (labels, choices, the user's own names), and runs of words in them."""
    runs: set[tuple[str, ...]] = set()
    for text in texts:
        words = words_of(text)[:40]
        runs.update(
            words[start:end]
            for start in range(len(words))
            for end in range(start + 1, min(len(words), start + longest) + 1)
        )
    return frozenset(runs)
