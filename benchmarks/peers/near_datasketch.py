"""datasketch's side of the benchmark `near_duplicates`: its bulk MinHash and its LSH, every candidate verified.

It runs in the peer's environment, so it imports nothing of this repository. Candidates are compared exactly, as on our
side, so that both give pairs at the limit; the pieces are kept as sets for it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

PERMUTATIONS, DEFAULT_PERMUTATIONS = 160, 128
#: As many bands of as many rows as ours: its own choice for this limit misses more pairs.
BANDS = (32, 5)
WARM = 200


def main(path: Path, limit: float, setting: str) -> dict[str, object]:
    texts = json.loads(path.read_text(encoding="utf-8"))
    find(texts[:WARM], limit, setting)
    began = time.perf_counter()
    pairs = find(texts, limit, setting)
    return {"seconds": time.perf_counter() - began, "pairs": pairs}


def find(texts: list[str], limit: float, setting: str) -> list[tuple[int, int]]:
    """All pairs at the limit among the candidates of an index: ``same_bands`` as ours, or its ``defaults``."""
    same = setting == "same_bands"
    permutations = PERMUTATIONS if same else DEFAULT_PERMUTATIONS
    pieces = [pieces_of(text) for text in texts]
    sketches = MinHash.bulk([[piece.encode() for piece in held] for held in pieces], num_perm=permutations)
    index = MinHashLSH(threshold=limit, num_perm=permutations, params=BANDS if same else None)
    pairs = []
    for at, sketch in enumerate(sketches):
        for other in index.query(sketch):
            both = len(pieces[at] & pieces[other])
            if both >= limit * (len(pieces[at]) + len(pieces[other]) - both):
                pairs.append((other, at))
        index.insert(at, sketch)
    return pairs


def pieces_of(text: str) -> frozenset[str]:
    plain = " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())
    return frozenset(plain[at : at + 5] for at in range(max(1, len(plain) - 4)))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])))
