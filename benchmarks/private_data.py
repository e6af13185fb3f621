"""Private values found in ten locales and look-alikes left alone, by kind; beside Presidio's default recognisers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, Skipped, at_least
from benchmarks.million_rows import lines
from benchmarks.peers.environment import python
from benchmarks.private_rows import Row, rows

SEED = 7  # the patterns were written beside the rows of seeds 0 to 2
EACH = 60  # rows of each kind and locale
BAR = 0.98
PLAIN_ROWS = 50_000
SECONDS_OF_A_MILLION = 720
#: The names that Presidio has for the kinds that both look for.
PEERS = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip_address",
    "MAC_ADDRESS": "mac_address",
    **dict.fromkeys(("US_SSN", "UK_NINO", "ES_NIF", "ES_NIE", "IT_FISCAL_CODE", "PL_PESEL", "UK_NHS"), "national_id"),
}
Found = list[tuple[str, int, int]]


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Recall and precision by kind with n, rows a second, and the same of Presidio."""
    del overrides
    corpus = rows(EACH, seed=SEED)
    from tunesmith.privacy.find import find

    find("warm +49 170 1234567")
    started = time.perf_counter()
    found = [[(span.kind, span.start, span.end) for span in find(row.text)] for row in corpus]
    seconds = time.perf_counter() - started
    figures = scored("ours", corpus, found, bar=BAR)
    figures += [Figure("ours, rows with private values", len(corpus) / seconds, "rows/s"), plain_speed()]
    try:
        theirs, their_seconds = presidio(corpus)
    except Skipped as reason:
        print(f"  beside Presidio: skipped: {reason}", file=sys.stderr)
        return figures
    known = set(PEERS.values())
    shared = [row for row in corpus if row.kind in known or not row.kind]
    ours_shared = [[one for one in spans if one[0] in known] for row, spans in _with(corpus, found, shared)]
    theirs_shared = [spans for _, spans in _with(corpus, theirs, shared)]
    figures += scored("presidio", shared, theirs_shared)
    figures += scored("ours on the same rows", shared, ours_shared)[-2:]
    return [
        *figures,
        at_least("times Presidio's rows/s", their_seconds / seconds, "times", 10, "same rows, one process"),
    ]


def scored(name: str, corpus: Sequence[Row], found: Sequence[Found], bar: float | None = None) -> list[Figure]:
    """Recall (values covered whole by a find of their kind) and precision (finds that touch one), by kind."""
    values, hits, finds, right = (defaultdict[str, int](int) for _ in range(4))
    for row, spans in zip(corpus, found, strict=True):
        for kind, start, end in spans:
            finds[kind] += 1
            right[kind] += kind == row.kind and start < row.end and end > row.start
        if row.kind:
            values[row.kind] += 1
            hits[row.kind] += any(
                kind == row.kind and start <= row.start and row.end <= end for kind, start, end in spans
            )
    figures = []
    for kind in [*sorted(values), "all kinds"]:
        n, hit, told, true = (
            (sum(one.values()) if kind == "all kinds" else one[kind]) for one in (values, hits, finds, right)
        )
        for measure, part, whole in (("recall", hit, n), ("precision", true, told)):
            figures.append(_figure(f"{name}, {kind}, {measure}", part, whole, bar))
    return figures


def _figure(name: str, part: int, whole: int, bar: float | None) -> Figure:
    share = part / whole if whole else 0.0
    note = f"{part:,} of {whole:,}"
    return Figure(name, share, "", note=note) if bar is None else at_least(name, share, "", bar, note)


def _with(corpus: Sequence[Row], found: Sequence[Found], chosen: Sequence[Row]) -> list[tuple[Row, Found]]:
    wanted = {id(row) for row in chosen}
    return [(row, spans) for row, spans in zip(corpus, found, strict=True) if id(row) in wanted]


def plain_speed() -> Figure:
    """The step's own cost on short rows without private values: both texts of a row are looked at."""
    from tunesmith.privacy.find import find

    texts: list[Mapping[str, str]] = [json.loads(line) for line in lines(PLAIN_ROWS)]
    started = time.perf_counter()
    for row in texts:
        find(row["question"])
        find(row["answer"])
    seconds = time.perf_counter() - started
    note = (
        f"a million take {1_000_000 * seconds / PLAIN_ROWS:,.0f} s of the {SECONDS_OF_A_MILLION} s that all steps may"
    )
    return Figure("ours, rows of question and answer without private values", PLAIN_ROWS / seconds, "rows/s", note=note)


def presidio(corpus: Sequence[Row]) -> tuple[list[Found], float]:
    """What Presidio's default recognisers for English find, with their default threshold, and their seconds."""
    interpreter = python("presidio")
    with tempfile.TemporaryDirectory(prefix="tunesmith-presidio-") as name:
        texts = Path(name) / "texts.json"
        texts.write_text(json.dumps([row.text for row in corpus]), encoding="utf-8")
        script = Path(__file__).parent / "peers" / "presidio.py"
        done = subprocess.run([str(interpreter), str(script), str(texts)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"presidio ended with {done.returncode}: {done.stderr[-400:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found = [[(PEERS[kind], start, end) for kind, start, end in spans if kind in PEERS] for spans in told["found"]]
    return found, float(told["seconds"])
