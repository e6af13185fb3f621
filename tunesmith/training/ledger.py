"""The ledger of a training: how often each example was trained, and its loss the last time.

It is kept in every checkpoint and goes on from there, so it tells what was done, not what was planned;
at the end it is held against the plan (`check`): whatever kills there were, no example may have been
trained once too often or too rarely.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.errors import TunesmithError
from tunesmith.products import EncodedRow
from tunesmith.training.sampler import Sampler

if TYPE_CHECKING:
    from torch import Tensor


class Ledger:
    """``times``: int32 [rows], optimizer steps that a row was in; ``loss``: float32 [rows], nan before the first."""

    def __init__(self, rows: Sequence[EncodedRow]) -> None:
        import torch

        self.place = {row.id: place for place, row in enumerate(rows)}
        self.times = torch.zeros(len(rows), dtype=torch.int32)
        self.loss = torch.full((len(rows),), math.nan)

    def record(self, losses: Mapping[str, float]) -> None:
        """One optimizer step was taken with these rows: their mean losses by id."""
        for id, loss in losses.items():
            place = self.place[id]
            self.times[place] += 1
            self.loss[place] = loss

    def tensors(self) -> dict[str, Tensor]:
        return {"times": self.times, "loss": self.loss}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self.times, self.loss = tensors["times"].clone(), tensors["loss"].clone()

    def lines(self, sampler: Sampler, steps: int, skipped: Collection[int], kept_step: int) -> list[dict[str, Any]]:
        """One line an example: id, ``steps`` (from 1) it was trained in, how many of them led to the weights
        that were kept, and its loss the last time. Raises TunesmithError when it does not add up.
        """
        drawn: list[list[int]] = [[] for _ in self.place]
        for step in range(steps):
            if step + 1 in skipped:
                continue
            for row in sampler.step(step):
                drawn[self.place[row.id]].append(step + 1)
        wrong = [id for id, place in self.place.items() if len(drawn[place]) != int(self.times[place])]
        if wrong:
            raise TunesmithError(
                "training_ledger_does_not_add_up",
                f"{len(wrong):,} examples were not trained as often as the plan says, {wrong[0]} among them",
                fix="this is a bug in Tunesmith: please report it, and run `tunesmith train --from-scratch`",
            )
        losses = self.loss.tolist()
        return [
            {
                "id": id,
                "steps": drawn[place],
                "times_kept": sum(step <= kept_step for step in drawn[place]),
                "loss": losses[place] if drawn[place] else None,
            }
            for id, place in self.place.items()
        ]
