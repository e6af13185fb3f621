"""Answers to the rows of a test, beside transformers' generate called row by row and lm-evaluation-harness.

The rows are messages of examples/support-desk with its system prompt; every side is greedy in float32 and writes at
most 64 tokens. The harness sorts rows by length and batches them; it gets the better of two batch sizes.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.base_model import folder_of
from benchmarks.command import ROOT
from benchmarks.figure import Failed, Figure, at_least
from benchmarks.overrides import numbers
from benchmarks.sides import Side, median, speeds, take_turns

ROW_BY_ROW = "transformers, row by row"
HARNESS = "lm-evaluation-harness"
SIDES = (
    Side("ours", "ours_answers.py"),
    Side(ROW_BY_ROW, "transformers_answers.py", "lm_eval"),
    Side(f"{HARNESS}, batches of 16", "harness_answers.py", "lm_eval", {"settings": {"batch_size": 16}}),
    Side(f"{HARNESS}, batches of 64", "harness_answers.py", "lm_eval", {"settings": {"batch_size": 64}}),
)
SYSTEM = (
    "You are Fern of Fernway, a shop for outdoor gear. Answer the customer's message with one JSON object: "
    '"category" (account, billing, damaged, delivery, product_question, refund or return), '
    '"urgency" (low, normal or high) and "reply" (the answer to the customer, warm and plain, with one next step).'
)
BARS = {ROW_BY_ROW: 5.0, HARNESS: 1.0}
MAX_NEW_TOKENS = 64
ALIKE = 0.95  # of the answers: where two tokens are as likely, batches round one way or the other


def run(overrides: Sequence[str] = ()) -> list[Figure]:
    """64 rows of at most 64 tokens; ``--set rows=8 --set tokens=16`` is smaller."""
    asked = numbers(overrides, rows=64, tokens=MAX_NEW_TOKENS)
    model = folder_of("smollm2-135m-instruct", "text")
    with (ROOT / "examples" / "support-desk" / "tickets.csv").open(encoding="utf-8", newline="") as file:
        messages = [row["message"] for row in csv.DictReader(file)][: asked["rows"]]
    job = {"model": str(model), "system": SYSTEM, "messages": messages, "max_new_tokens": asked["tokens"]}
    with tempfile.TemporaryDirectory(prefix="tunesmith-answers-") as temporary:
        return figures(take_turns(SIDES, job, Path(temporary)), len(messages))


def figures(measured: Mapping[str, Sequence[Any]], rows: int) -> list[Figure]:
    """Rows a second of each side, ours over each peer's best, and how many answers are the same."""
    ours = measured["ours"][-1]
    others = {name: runs[-1] for name, runs in measured.items() if name != "ours"}
    for name, told in others.items():
        if told["prompt_tokens"] != ours["prompt_tokens"]:
            raise Failed(f"{name} was asked {told['prompt_tokens']} tokens, ours {ours['prompt_tokens']}")
    best = min((name for name in others if name.startswith(HARNESS)), key=lambda name: median(measured[name]))
    shown = {name: runs for name, runs in measured.items() if not name.startswith(HARNESS) or name == best}
    bars = {ROW_BY_ROW: BARS[ROW_BY_ROW], best: BARS[HARNESS]}
    alike = [
        at_least(
            f"answers that are {name}'s too",
            sum(left == right for left, right in zip(ours["answers"], others[name]["answers"], strict=True)) / rows,
            "of all",
            ALIKE,
        )
        for name in bars
    ]
    return speeds("answers", shown, rows, bars, None) + alike
