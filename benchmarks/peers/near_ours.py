"""Tunesmith's side of the benchmark `near_duplicates`: texts, limit → groups and seconds."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tunesmith.similarity.near_duplicates import groups

WARM = 200


def main(path: Path, limit: float) -> dict[str, object]:
    texts = json.loads(path.read_text(encoding="utf-8"))
    groups(texts[:WARM], limit)
    began = time.perf_counter()
    found = groups(texts, limit)
    return {"seconds": time.perf_counter() - began, "groups": found.tolist()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), float(sys.argv[2]))))
