"""What people said about answers of the test, in ratings.jsonl beside tunesmith.yaml.

One JSON object a line: a row, who looked at it, and one of three things. A later line of the same reviewer on the
same answers takes the place of an earlier one; null withdraws it::

    {"id": "62f5…", "reviewer": "ana", "at": "…", "part": "test", "shown": ["tuned", "base"],
     "answers": {"tuned": "9c1b…", "base": "04af…"}, "choice": "A"}
    {"id": "62f5…", …, "comment": "B is rude"}
    {"id": "62f5…", "reviewer": "ana", "at": "…", "part": "test", "input": "…", "correction": "…"}

``shown`` are the candidates behind A and B, ``answers`` a hash of what each said: a rating is of these two texts, so
that it holds in a later test in which they are the same, and in no other. ``choice`` is A, B, same or neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from tunesmith import durable_lines
from tunesmith.artifact import hash_of, one_at_a_time, write_text
from tunesmith.errors import InputError, raise_all

FILE = "ratings.jsonl"
Choice = Literal["A", "B", "same", "neither"]
CHOICES: tuple[Choice, ...] = ("A", "B", "same", "neither")
_PARTS = ("test", "validation")


class InFolder(Protocol):
    """What lies in a folder, such as a Project."""

    @property
    def root(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class Rating:
    """What one reviewer said of one row's two answers. ``shown``: the candidates behind A and B; ``answers``: the
    hashes of what they said, in that order."""

    id: str
    reviewer: str
    part: str
    shown: tuple[str, str]
    answers: tuple[str, str]
    choice: Choice | None = None
    comment: str = ""
    at: str = ""

    @property
    def preferred(self) -> str | None:
        """The candidate that was found better, None where neither was."""
        return {"A": self.shown[0], "B": self.shown[1]}.get(self.choice or "")


@dataclass(frozen=True, slots=True)
class Correction:
    """A better answer that a reviewer wrote for a row: a proposed example.

    ``part`` is where the row stands. One of the part ``test`` may not be trained on: it can take the place of the
    reference that the row is tested with, and of nothing else.
    """

    id: str
    input: str
    answer: str
    reviewer: str
    at: str
    part: str = "test"


@dataclass(frozen=True)
class Ratings:
    """All that was said, without what was withdrawn; in the order in which it was said first."""

    rated: tuple[Rating, ...] = ()
    corrections: tuple[Correction, ...] = ()

    def of_answers(
        self, texts: Mapping[str, Mapping[str, str]], pair: Sequence[str], *, only_commented: bool = False
    ) -> list[Rating]:
        """Those of these two candidates, whose answers are the given ones: ``texts[id][candidate]``.

        ``only_commented``: also those with a comment and no choice, or none yet.
        """
        return [
            one
            for one in self.rated
            if (only_commented or one.choice is not None)
            and set(one.shown) == set(pair)
            and one.id in texts
            and all(hash_of(texts[one.id].get(name)) == told for name, told in zip(one.shown, one.answers, strict=True))
        ]

    def facts(self) -> str | None:
        """What a report of them follows from; None where nothing was rated."""
        told = [(one.id, one.reviewer, one.shown, one.answers, one.choice) for one in self.rated if one.choice]
        return hash_of(told) if told else None


def corrections(project: InFolder) -> list[Correction]:
    """The better answers that reviewers wrote, as proposed examples; of several by one reviewer for a row the last.

    One of a test row says so in its ``part``: training on it would spoil the test.
    """
    return list(read(project.root / FILE).corrections)


def read(path: Path) -> Ratings:
    """Read the file; none is none. Raises InputError ``broken_rating`` with every line that is not a rating."""
    rated: dict[tuple[Any, ...], Rating] = {}
    corrected: dict[tuple[str, str], Correction] = {}
    faults = []
    for number, line in enumerate(durable_lines.whole_lines(path), 1):
        try:
            _take(json.loads(line), rated, corrected)
        except (ValueError, KeyError, TypeError, RecursionError):
            where, fix = f"{FILE}:{number}", "mend or delete the line"
            faults.append(InputError("broken_rating", "this line is not a rating", where, fix))
    raise_all(faults)
    return Ratings(tuple(one for one in rated.values() if one.choice or one.comment), tuple(corrected.values()))


def _take(entry: Any, rated: dict[tuple[Any, ...], Rating], corrected: dict[tuple[str, str], Correction]) -> None:
    id, reviewer, part, at = (_text(entry[key]) for key in ("id", "reviewer", "part", "at"))
    if part not in _PARTS:
        raise ValueError(part)
    if "correction" in entry:
        corrected.pop((id, reviewer), None)
        if entry["correction"] is not None:
            answer = _text(entry["correction"])
            corrected[id, reviewer] = Correction(id, _text(entry["input"]), answer, reviewer, at, part)
        return
    first, second = map(_text, entry["shown"])
    answers = (_text(entry["answers"][first]), _text(entry["answers"][second]))
    key = (reviewer, id, *sorted(zip((first, second), answers, strict=True)))
    known = rated.get(key) or Rating(id, reviewer, part, (first, second), answers)
    if "comment" in entry:
        rated[key] = replace(known, comment=_text(entry["comment"] or ""), at=at)
        return
    if entry["choice"] not in (*CHOICES, None):
        raise ValueError(entry["choice"])
    rated[key] = replace(known, shown=(first, second), answers=answers, choice=entry["choice"], at=at)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def rating_line(rating: Rating) -> dict[str, Any]:
    """The line of the file that records the choice; a choice of None withdraws it."""
    return {**_about(rating), "choice": rating.choice}


def comment_line(rating: Rating) -> dict[str, Any]:
    return {**_about(rating), "comment": rating.comment}


def correction_line(id: str, reviewer: str, part: str, input: str, answer: str | None) -> dict[str, Any]:
    """The line that records a better answer; None withdraws it."""
    told = {} if answer is None else {"input": input}
    return {"id": id, "reviewer": reviewer, "at": now(), "part": part, **told, "correction": answer}


def _about(rating: Rating) -> dict[str, Any]:
    return {
        "id": rating.id,
        "reviewer": rating.reviewer,
        "at": now(),
        "part": rating.part,
        "shown": list(rating.shown),
        "answers": dict(zip(rating.shown, rating.answers, strict=True)),
    }


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def append(path: Path, lines: Iterable[Mapping[str, Any]], *, source: Path) -> None:
    """Add lines about rows of ``source``, the folder with their answers; when this returns they are durable.

    Several reviewers may write at once. Raises InputError ``test_gone`` when the folder was removed meanwhile: a row
    in it may have been forgotten, and what was said about it is not kept.
    """
    with one_at_a_time(path.parent):
        if not source.is_dir():
            raise InputError(
                "test_gone",
                "the test whose answers are reviewed was removed meanwhile; the last rating is not kept",
                str(source),
                "`tunesmith test` makes it anew, and `tunesmith review` goes on from there",
            )
        durable_lines.append(path, lines)


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the file, for whoever looks for a person's words in it: its row, its hash, and what people wrote."""

    id: str
    hash: str
    texts: tuple[str, ...]


def said(path: Path) -> list[Said]:
    """Every line that is about a row."""
    found = []
    for line in durable_lines.whole_lines(path):
        try:
            entry = json.loads(line)
            texts = (entry.get(key) for key in ("comment", "input", "correction", "reviewer"))
            found.append(
                Said(_text(entry["id"]), hash_of(line), tuple(text for text in texts if isinstance(text, str)))
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # `read` tells of it
    return found


def remove(path: Path, ids: Iterable[str], hashes: Iterable[str] = ()) -> None:
    """Remove every line about these rows, and those with these hashes; the others stay as they are."""
    gone, named = set(ids), set(hashes)
    with one_at_a_time(path.parent):
        lines = durable_lines.whole_lines(path)
        kept = [line for line in lines if _id_of(line) not in gone and hash_of(line) not in named]
        if len(kept) < len(lines):
            write_text(path, "".join(line + "\n" for line in kept))


def _id_of(line: str) -> str:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
