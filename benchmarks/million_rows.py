"""Collect and clean a million short rows of JSONL: time and memory."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.command import made, measure, tunesmith
from benchmarks.figure import Figure

ROWS = 1_000_000
EVERY = 20  # each 20th row repeats an earlier one: 5 %
BAR = 1000  # MB
SETTINGS = """\
version: 1
name: million-rows
goal: {input: text, output: text}
collect:
  - {path: rows.jsonl, input: question, output: answer}
"""
VOCABULARY = """\
a about account after again all also always an and another any are as ask at back bag battery because been before best
between bill black blue box bring broken but button buy by call can card case change charge check city clean clear click
close code cold colour come cost could country customer damaged date day deliver desk did different do does door down
each early email empty end enter error even every fast few file find first fit fix for form found free from full get
give go good green had half hand has have heavy help here hold home hour house how if in inside into is it item just
keep key kind know large last late leave left less letter light like line link list long look lost made mail make many
may me mean message might money month more morning most move much must my name near need never new next no not note now
number of off offer office often old on once one only open or order other our out over own page paid pair paper part
pay phone place plan please point post price print problem put question quick read ready reason receipt red refund
reply report reset return right room run same save say screen second see send set shop short should show side sign
since size small so some soon spare start state step still stock stop store such sure take tell text than that the
their them then there these they thing this those three time to today told too top total track try turn two type under
until up update us use used very visit wait want was watch water way we week well went were what when where which while
white who why will window with without word work would write wrong year yes yet you your"""
WORDS = VOCABULARY.split()


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """Peak memory, seconds and rows a second of `tunesmith clean` on a fresh project."""
    with tempfile.TemporaryDirectory(prefix="tunesmith-million-") as name:
        folder = Path(name)
        (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(lines(ROWS))
        size = (folder / "rows.jsonl").stat().st_size / 1_000_000
        settings = [word for override in overrides for word in ("--set", override)]
        measured = measure(tunesmith("clean", "--project", name, *settings))
        counts = made(folder, "clean")["counts"]
    due = ROWS // EVERY
    how = f"{ROWS:,} rows, {size:,.0f} MB of JSONL; stages collect, goal and clean in one process"
    told = f"of {counts['in']:,} rows in: kept {counts['kept']:,}, set aside {counts['set_aside']:,}"
    return [
        Figure("million rows, peak memory", measured.megabytes, "MB", f"< {BAR:,} MB", measured.megabytes < BAR, how),
        Figure("million rows, time", measured.seconds, "s"),
        Figure("million rows, speed", ROWS / measured.seconds, "rows/s"),
        Figure("million rows, merged", counts["merged"], "rows", f"{due:,} rows", counts["merged"] == due, told),
    ]


def lines(rows: int, seed: int = 0) -> Iterator[str]:
    """The rows as lines of JSON: 20 to 60 words of question and answer; each 20th repeats an earlier one.

    A row follows from its number alone, so that no earlier row is held in memory.
    """
    for number in range(rows):
        repeated = (number + 1) % EVERY == 0
        yield line(earlier(number, seed) if repeated else number, seed)


def earlier(number: int, seed: int) -> int:
    """An earlier row that is not itself a repetition."""
    chosen = random.Random(f"{seed} repeats {number}").randrange(number)
    return chosen - 1 if (chosen + 1) % EVERY == 0 else chosen


def line(number: int, seed: int) -> str:
    draw = random.Random(f"{seed} {number}")
    question = " ".join(draw.choices(WORDS, k=draw.randint(8, 20)))
    answer = " ".join(draw.choices(WORDS, k=draw.randint(12, 40)))
    return json.dumps({"question": f"{question.capitalize()}?", "answer": f"{answer.capitalize()}."}) + "\n"
