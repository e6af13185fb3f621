"""Private values found in ten locales and look-alikes left alone, by kind; beside Presidio's default recognisers."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figure import Figure, Skipped, at_least
from benchmarks.peers.environment import python
from benchmarks.private_holdout import rows as holdout_rows
from benchmarks.private_rows import Row, rows
from benchmarks.short_rows import lines

SEED = 7  # the patterns were written beside the rows of seeds 0 to 2
EACH = 60  # rows of each kind and locale
EACH_HELD_OUT = 30
#: A street has no checksum and no one pattern: it is told, but held to no bar in the locales of the hold-out.
NO_PATTERN = frozenset(("street_address", "all kinds"))
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
    """Recall and precision by kind with n, rows a second, and the same of Presidio; then on the rows held out."""
    del overrides
    corpus, held_out = rows(EACH, seed=SEED), holdout_rows(EACH_HELD_OUT)
    found, seconds = ours(corpus)
    found_held_out, _ = ours(held_out)
    figures = scored("ours", corpus, found, bar=BAR)
    figures += [Figure("ours, rows with private values", len(corpus) / seconds, "rows/s"), plain_speed()]
    figures += scored("held out, ours", held_out, found_held_out, bar=BAR, free=NO_PATTERN)
    try:
        theirs = presidio([*corpus, *held_out])
    except Skipped as reason:
        print(f"  beside Presidio: skipped: {reason}", file=sys.stderr)
        return figures
    figures += beside("", corpus, found, theirs.found[: len(corpus)])
    figures += beside("held out, ", held_out, found_held_out, theirs.found[len(corpus) :])
    per_row = seconds / len(corpus)
    times = theirs.seconds / len(theirs.found) / per_row
    patterns = theirs.seconds_of_patterns / len(theirs.found) / per_row
    return [
        *figures,
        at_least("times Presidio's rows/s", times, "times", 10, "same rows, seconds of the processor"),
        Figure(
            "times the rows/s of Presidio's recognisers alone", patterns, "times", note="without its language model"
        ),
    ]


def ours(corpus: Sequence[Row]) -> tuple[list[Found], float]:
    """What is found in each row, and the seconds that it took."""
    from tunesmith.privacy.find import find

    find("warm +49 170 1234567")
    started = time.process_time()
    found = [[(span.kind, span.start, span.end) for span in find(row.text)] for row in corpus]
    return found, time.process_time() - started


def beside(name: str, corpus: Sequence[Row], found: Sequence[Found], theirs: Sequence[Found]) -> list[Figure]:
    """Presidio's figures on the rows of the kinds that both know, and ours on the same rows."""
    known = set(PEERS.values())
    shared = [row for row in corpus if row.kind in known or not row.kind]
    ours_shared = [[one for one in spans if one[0] in known] for _, spans in _with(corpus, found, shared)]
    theirs_shared = [spans for _, spans in _with(corpus, theirs, shared)]
    return [
        *scored(f"{name}presidio", shared, theirs_shared),
        *scored(f"{name}ours on the same rows", shared, ours_shared)[-2:],
    ]


def scored(
    name: str,
    corpus: Sequence[Row],
    found: Sequence[Found],
    bar: float | None = None,
    free: Collection[str] = (),
) -> list[Figure]:
    """Recall (values covered whole by a find of their kind) and precision (finds that touch one), by kind.

    The kinds that are ``free`` are held to no bar.
    """
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
            figures.append(_figure(f"{name}, {kind}, {measure}", part, whole, None if kind in free else bar))
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
    started = time.process_time()
    for row in texts:
        find(row["question"])
        find(row["answer"])
    seconds = time.process_time() - started
    note = (
        f"a million take {1_000_000 * seconds / PLAIN_ROWS:,.0f} s of the {SECONDS_OF_A_MILLION} s that all steps may"
    )
    return Figure("ours, rows of question and answer without private values", PLAIN_ROWS / seconds, "rows/s", note=note)


class Told(NamedTuple):
    """What Presidio found in each row, and how long it took with and without its language model."""

    found: list[Found]
    seconds: float
    seconds_of_patterns: float


def presidio(corpus: Sequence[Row]) -> Told:
    """What Presidio's default recognisers for English find, with their default threshold."""
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
    return Told(found, float(told["seconds"]), float(told["seconds_of_patterns"]))
