"""Leaks between training and test: planted near-copies are all found, and our split of Banking77 has none.

A near-copy is a row with one small edit: a typo, other casing, one word swapped or other punctuation. Each of 500
training rows of a plain random split gets one in the test part. What is held against brute force is counted by code
of its own, which shares no line with the product: sets of 5-character pieces in plain Python.
"""

from __future__ import annotations

import csv
import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.banking77 import read
from benchmarks.command import made, measure, shared, tunesmith
from benchmarks.figure import Figure
from tunesmith.example_parquet import read_examples, read_rows
from tunesmith.similarity.across import MOST_WORK
from tunesmith.similarity.any_order import AnyOrderSets
from tunesmith.stages.split.settings import SplitSettings

PLANTED = 500
SEED = 7
SETTINGS = """\
version: 1
name: leaks
goal: {input: text, output: label}
base: {model: all-minilm-l6-v2}
collect: [{path: rows.csv}]
"""


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Plant copies across a random split, and split Banking77 with the product."""
    rows = [row for name in ("train.csv", "test.csv") for row in read(shared("banking77") / name)]
    limit = float(SplitSettings.model_validate({}).near)
    return [*planted(rows, limit), *our_split(rows, limit, overrides)]


def planted(rows: Sequence[tuple[str, str]], limit: float) -> list[Figure]:
    """How many of the planted copies are found across a random split."""
    draw = random.Random(SEED)
    texts = [text for text, _ in rows]
    draw.shuffle(texts)
    tested = len(texts) // 5
    trained = texts[tested:]
    chosen = draw.sample([at for at, text in enumerate(trained) if len(text.split()) >= 6 and len(text) >= 40], PLANTED)
    copies = [edited(trained[at], draw) for at in chosen]
    every = [*trained, *copies, *texts[:tested]]
    left, right = np.arange(len(trained)), np.arange(len(trained), len(every))
    figures = []
    for name, work in (("every pair compared", MOST_WORK), ("by MinHash", 0)):
        with AnyOrderSets.of(every) as sets:
            found = sets.across(left, right, limit, 10, most_work=work)
        pairs = {(pair.left, pair.right) for pair in found.above}
        hits = sum((at, len(trained) + number) in pairs for number, at in enumerate(chosen))
        note = f"of {PLANTED} near-copies of training rows in the test part; {len(pairs):,} pairs found in all"
        figures.append(Figure(f"planted copies found, {name}", hits, "", f"{PLANTED}", hits == PLANTED, note))
    return figures


def edited(text: str, draw: random.Random) -> str:
    """The text with one small edit: a typo, other casing, a word swapped, or other punctuation."""
    kind = draw.choice(["typo", "casing", "swap", "punctuation"])
    if kind == "typo":
        at = draw.randrange(1, len(text) - 1)
        return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]
    if kind == "casing":
        return draw.choice([text.upper(), text.lower(), text.title()])
    words = text.split()
    if kind == "punctuation":
        at = draw.randrange(len(words) - 1)
        return " ".join([*words[: at + 1], "-", *words[at + 1 :]]).rstrip("?.!") + draw.choice(["!!", "...", " ?"])
    at = draw.randrange(len(words) - 1)
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def our_split(rows: Sequence[tuple[str, str]], limit: float, overrides: Sequence[str]) -> list[Figure]:
    """Split all of Banking77 with the product; count leaks by brute force, beside what its certificate says."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-leaks-") as name:
        folder = Path(name)
        (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
        with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "category"), *rows])
        settings = [word for override in overrides for word in ("--set", override)]
        measure(tunesmith("split", "--project", name, *settings))
        certificate = made(folder, "split", "certificate.json")
        seconds = made(folder, "split")["seconds"]
        parts = texts_of(folder)
    leaking, nearest = leaks(parts["train"], parts["test"], limit)
    validated, _ = leaks(parts["train"], parts["validation"], limit)
    said = max(pair["similarity"] for pair in certificate["highest"] if pair["parts"] == ["train", "test"])
    chance = certificate["random_split"]
    by_chance = [random_leaks(parts, seed, limit) for seed in range(3)]
    counted = sum(by_chance) / len(by_chance)
    size = f"of {len(parts['test']):,}"
    return [
        Figure("our split, test rows with a near copy in training", leaking, "rows", "0 rows", leaking == 0, size),
        Figure("our split, validation rows with one", validated, "rows", "0 rows", validated == 0),
        Figure(
            "most alike training and test row",
            nearest,
            "",
            f"{said:g} as certified",
            abs(nearest - said) < 1e-3,
            f"limit {limit:g}",
        ),
        Figure(
            "a plain random split leaks, as certified",
            chance["test"],
            "test rows",
            f"{counted:.0f} ± 10% by brute force",
            abs(chance["test"] - counted) <= 0.1 * counted,
            f"of {chance['test_rows']:,}, mean of {chance['draws']} draws",
        ),
        Figure("time of the stage split", seconds, "s", note=f"{sum(map(len, parts.values())):,} rows"),
    ]


def texts_of(folder: Path) -> dict[str, list[str]]:
    """The inputs of each part."""
    root = folder / ".tunesmith"
    places = {
        stage: root / "artifacts" / f"{stage}-{(root / 'latest' / stage).read_text(encoding='utf-8').strip()}"
        for stage in ("clean", "split")
    }
    text = {example.id: example.input for example in read_examples(places["clean"] / "examples.parquet")}
    return {
        part: [text[row["id"]] for row in read_rows(places["split"] / f"{part}.parquet")]
        for part in ("train", "validation", "test")
    }


def random_leaks(parts: dict[str, list[str]], seed: int, limit: float) -> int:
    """How many test rows of a plain random split of the same sizes have a near copy in training."""
    texts = [text for part in parts.values() for text in part]
    random.Random(seed).shuffle(texts)
    tested, validated = len(parts["test"]), len(parts["validation"])
    return leaks(texts[tested + validated :], texts[:tested], limit)[0]


def leaks(trained: Sequence[str], tested: Sequence[str], limit: float) -> tuple[int, float]:
    """How many tested texts have a trained one at the limit or above, and the highest similarity, by brute force.

    Similarity is that of the texts as they stand or of their sorted words, whichever is higher.
    """
    stands = closest(trained, tested)
    ordered = closest([sorted_words(text) for text in trained], [sorted_words(text) for text in tested])
    best = [max(pair) for pair in zip(stands, ordered, strict=True)]
    return sum(value >= limit for value in best), max(best)


def closest(trained: Sequence[str], tested: Sequence[str]) -> list[float]:
    """The similarity of each tested text and the trained one that is most like it."""
    sizes = []
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for at, text in enumerate(trained):
        pieces = pieces_of(text)
        sizes.append(len(pieces))
        for piece in pieces:
            holders[piece].append(at)
    found = []
    for text in tested:
        pieces = pieces_of(text)
        shared_with: defaultdict[int, int] = defaultdict(int)
        for piece in pieces:
            for at in holders.get(piece, ()):
                shared_with[at] += 1
        found.append(max((both / (len(pieces) + sizes[at] - both) for at, both in shared_with.items()), default=0.0))
    return found


def pieces_of(text: str) -> frozenset[str]:
    """The 5-character pieces of a text without case, punctuation and extra spaces."""
    bare = plain(text)
    return frozenset(bare[at : at + 5] for at in range(max(1, len(bare) - 4)))


def plain(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())


def sorted_words(text: str) -> str:
    return " ".join(sorted(plain(text).split()))
