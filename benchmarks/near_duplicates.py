"""Near-duplicates of 20,000 rows: recall and precision against brute force, throughput beside datasketch's.

Both sides find pairs at a Jaccard similarity of 0.7 of 5-character pieces. datasketch hashes the same pieces in
bulk and asks its MinHashLSH for each row, once with as many permutations and bands as ours, so that both find as many
pairs, and once as it comes (faster, and it misses more); it runs in an environment and a process of its own.
The sides take turns; only finding is timed, not reading the rows or importing.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import ROOT, environment
from benchmarks.figure import Failed, Figure, at_least
from benchmarks.leaks import edited, pieces_of
from benchmarks.peers import environment as peers
from benchmarks.short_rows import WORDS

ROWS = int(os.environ.get("TUNESMITH_BENCH_ROWS", "20000"))
ROUNDS = int(os.environ.get("TUNESMITH_BENCH_ROUNDS", "3"))
LIMIT = 0.7
SIDES = ("ours", "datasketch, same bands", "datasketch, its defaults")
RECALL, PRECISION, TIMES = 0.99, 0.995, 10.0


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Quality against brute force, then throughput in turns."""
    texts = rows(ROWS)
    with tempfile.TemporaryDirectory(prefix="tunesmith-near-") as name:
        path = Path(name) / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        measured: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for turn in range(ROUNDS):
            for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                measured[side].append(one_turn(side, path))
    pairs = brute_force(texts)
    figures = quality(texts, measured["ours"][0]["groups"], pairs)
    seconds = {side: [turn["seconds"] for turn in turns] for side, turns in measured.items()}
    median = {side: statistics.median(times) for side, times in seconds.items()}
    spread = {side: f"{min(times):.2f} to {max(times):.2f} s, {ROUNDS} turns" for side, times in seconds.items()}
    figures.append(Figure("our throughput", ROWS / median["ours"], "rows/s", note=spread["ours"]))
    for side in SIDES[1:]:
        found = {tuple(pair) for pair in measured[side][0]["pairs"]}
        note = f"{spread[side]}; recall {len(found & pairs.keys()) / len(pairs):.3f}"
        figures.append(Figure(f"{side}, throughput", ROWS / median[side], "rows/s", note=note))
    same, default = (median[side] / median["ours"] for side in SIDES[1:])
    return [
        *figures,
        at_least("times datasketch's throughput, same bands", same, "", TIMES),
        Figure("times datasketch's throughput, its defaults", default, ""),
    ]


def rows(number: int, seed: int = 0) -> list[str]:
    """Sentences of 8 to 20 words; one in four is an earlier one with one to four small edits."""
    draw = random.Random(seed)
    texts: list[str] = []
    for _ in range(number):
        if texts and draw.random() < 0.25:
            text = draw.choice(texts)
            for _ in range(draw.randint(1, 4)):
                text = replaced(text, draw) if draw.random() < 0.5 else edited(text, draw)
        else:
            text = " ".join(draw.choices(WORDS, k=draw.randint(8, 20)))
        texts.append(text)
    return texts


def replaced(text: str, draw: random.Random) -> str:
    words = text.split()
    words[draw.randrange(len(words))] = draw.choice(WORDS)
    return " ".join(words)


def one_turn(side: str, path: Path) -> dict[str, Any]:
    """Run one side in a process of its own."""
    if side == "ours":
        command = [sys.executable, "-m", "benchmarks.peers.near_ours", str(path), str(LIMIT)]
    else:
        script = ROOT / "benchmarks" / "peers" / "near_datasketch.py"
        setting = "same_bands" if side == SIDES[1] else "defaults"
        command = [str(peers.python("datasketch")), str(script), str(path), str(LIMIT), setting]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), check=False)
    if ended.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {ended.returncode}")
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def brute_force(texts: Sequence[str]) -> dict[tuple[int, int], float]:
    """Every pair at or above the limit and its similarity, by counting shared pieces in plain Python."""
    sizes: list[int] = []
    holders: defaultdict[str, list[int]] = defaultdict(list)
    found = {}
    for at, text in enumerate(texts):
        pieces = pieces_of(text)
        shared_with: defaultdict[int, int] = defaultdict(int)
        for piece in pieces:
            for other in holders[piece]:
                shared_with[other] += 1
            holders[piece].append(at)
        for other, both in shared_with.items():
            similarity = both / (len(pieces) + sizes[other] - both)
            if similarity >= LIMIT:
                found[other, at] = similarity
        sizes.append(len(pieces))
    return found


def quality(texts: Sequence[str], groups: Sequence[int], pairs: dict[tuple[int, int], float]) -> list[Figure]:
    """Recall over brute force's pairs; precision over the rows that we put beside another one.

    Groups are what the product uses. A row put into a group is right where brute force joins it with that group's
    first row by a chain of near pairs.
    """
    root = chains(len(texts), pairs)
    together = sum(groups[one] == groups[other] for one, other in pairs)
    first: dict[int, int] = {}
    placed = right = 0
    for at, group in enumerate(groups):
        if group in first:
            placed += 1
            right += root[at] == root[first[group]]
        else:
            first[group] = at
    return [
        at_least("recall", together / len(pairs), "", RECALL, f"of {len(pairs):,} pairs of {len(texts):,} rows"),
        at_least("precision", right / placed, "", PRECISION, f"of {placed:,} rows put beside another"),
    ]


def chains(number: int, pairs: dict[tuple[int, int], float]) -> list[int]:
    """Which rows hang together by near pairs: the smallest row of each chain."""
    parent = list(range(number))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [root(at) for at in range(number)]
