"""How each validation row did before training, before the last part of it, and at the step that is kept.

It is in every checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunesmith.learners.protocol import RowOutcome
from tunesmith.products import EncodedRow

if TYPE_CHECKING:
    from torch import Tensor


MOMENTS = ("before", "earlier", "kept")


class ValidationRows:
    """``before``, ``earlier`` and ``kept``: float32 [rows, 2], the mean loss a target and the share of targets that
    are right; nan until it was measured. ``earlier`` is what the gain of a plan's last part is taken from
    (training/growth.py)."""

    def __init__(self, rows: Sequence[EncodedRow]) -> None:
        import torch

        self.place = {row.id: place for place, row in enumerate(rows)}
        self.before = torch.full((len(rows), 2), math.nan)
        self.earlier, self.kept = self.before.clone(), self.before.clone()

    def record(self, found: Mapping[str, RowOutcome], *, first: bool, early: bool, keep: bool) -> None:
        """Take in a validation: the ``first`` of the run, one ``early`` in its plan, or one whose weights are kept."""
        import torch

        figures = torch.tensor([found[id] for id in self.place], dtype=torch.float32)
        if first:
            self.before = figures.clone()
        if early:
            self.earlier = figures.clone()
        if keep:
            self.kept = figures

    def tensors(self) -> dict[str, Tensor]:
        return {f"validation_{name}": getattr(self, name) for name in MOMENTS}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        for name in MOMENTS:
            setattr(self, name, tensors[f"validation_{name}"].clone())

    def outcomes(self) -> dict[str, tuple[RowOutcome, RowOutcome]]:
        """Each row before training and at the kept step, by its id."""
        before, kept = ([RowOutcome(*figures) for figures in one.tolist()] for one in (self.before, self.kept))
        return {id: (before[place], kept[place]) for id, place in self.place.items()}
