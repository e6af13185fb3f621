"""Answers that were given once are not asked for again: a file for each answerer, a line for each prompt.

So a test that was killed goes on where it was, and a row that stays is asked once in all rounds. An answer counts
when its line is whole; the file only grows, and is read once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunesmith import durable_lines
from tunesmith.answering.answerer import Answerer, Prompt, key_of
from tunesmith.artifact import make_folder
from tunesmith.errors import TunesmithError
from tunesmith.learners.protocol import Prediction, Progress

#: Where a project keeps them, under .tunesmith.
FOLDER = "answers"
#: Prompts that are asked together, so that a kill costs no more than these.
AT_ONCE = 256


class AnswerCache:
    """The answers in ``folder``; with None none are kept, and all prompts are asked together."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._known: dict[str, dict[str, Prediction]] = {}

    def answer(
        self, answerer: Answerer, prompts: Sequence[Prompt], on_progress: Progress = lambda done, total: None
    ) -> list[Prediction]:
        """Answers in the order of the prompts; those not known are asked for, equal prompts once.

        Raises TunesmithError ``answers_missing`` when the answerer gives more or fewer than it was asked for.
        """
        if self.folder is None:
            return _asked(answerer, prompts, on_progress)
        make_folder(self.folder)
        path = self.folder / f"{answerer.identity}.jsonl"
        if answerer.identity not in self._known:
            self._known[answerer.identity] = _read(path)
        known = self._known[answerer.identity]
        keys = [key_of(prompt) for prompt in prompts]
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
        waiting = list(new)
        before = len(keys) - len(waiting)
        for start in range(0, len(waiting), AT_ONCE):
            block = waiting[start : start + AT_ONCE]

            def tell(done: int, total: int, start: int = start) -> None:
                on_progress(before + start + done, len(keys))

            given = _asked(answerer, [new[key] for key in block], tell)
            known.update(zip(block, given, strict=True))
            durable_lines.append(path, ({"prompt": key, **asdict(known[key])} for key in block))
        on_progress(len(keys), len(keys))
        return [known[key] for key in keys]


def _asked(answerer: Answerer, prompts: Sequence[Prompt], on_progress: Progress) -> list[Prediction]:
    given = answerer.ask(prompts, on_progress)
    if len(given) != len(prompts):
        raise TunesmithError(
            "answers_missing", f"{answerer.name} gave {len(given)} answers to {len(prompts)} rows", answerer.name
        )
    return given


def _read(path: Path) -> dict[str, Prediction]:
    """What is known; a line that is no answer of ours is not."""
    found: dict[str, Prediction] = {}
    for line in durable_lines.whole_lines(path):
        try:
            told: dict[str, Any] = json.loads(line)
            key = told.pop("prompt")
            found[key] = Prediction(**told)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return found
