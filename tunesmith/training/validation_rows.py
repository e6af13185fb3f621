"""How each validation row did before training and at the step that is kept; in every checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunesmith.learners.protocol import RowOutcome
from tunesmith.products import EncodedRow

if TYPE_CHECKING:
    from torch import Tensor


class ValidationRows:
    """``before`` and ``kept``: float32 [rows, 2], the mean loss a target and the share of targets that are right;
    nan until it was measured."""

    def __init__(self, rows: Sequence[EncodedRow]) -> None:
        import torch

        self.place = {row.id: place for place, row in enumerate(rows)}
        self.before = torch.full((len(rows), 2), math.nan)
        self.kept = self.before.clone()

    def record(self, found: Mapping[str, RowOutcome], *, first: bool, keep: bool) -> None:
        """Take in a validation: the ``first`` of the run, or one whose weights are to be kept."""
        import torch

        figures = torch.tensor([found[id] for id in self.place], dtype=torch.float32)
        if first:
            self.before = figures.clone()
        if keep:
            self.kept = figures

    def tensors(self) -> dict[str, Tensor]:
        return {"validation_before": self.before, "validation_kept": self.kept}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self.before, self.kept = tensors["validation_before"].clone(), tensors["validation_kept"].clone()

    def outcomes(self) -> dict[str, tuple[RowOutcome, RowOutcome]]:
        """Each row before training and at the kept step, by its id."""
        before, kept = ([RowOutcome(*figures) for figures in one.tolist()] for one in (self.before, self.kept))
        return {id: (before[place], kept[place]) for id, place in self.place.items()}
