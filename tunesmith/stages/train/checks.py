"""What cannot be trained as asked, said before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.errors import InputError
from tunesmith.plugins import Learner
from tunesmith.products import EncodedRow
from tunesmith.stages.train.settings import TrainSettings


def check_fresh(settings: TrainSettings) -> None:
    """Raise InputError for what needs a base that knows something already."""
    if settings.method not in ("auto", "full"):
        raise InputError(
            "method_not_served",
            f"a fresh model is trained whole, and {settings.method} trains beside frozen weights",
            "tunesmith.yaml: train.method",
            "set train.method: auto",
        )
    if settings.objective != "sft":
        raise InputError(
            "objective_not_served",
            "preferences are learned by a model that can answer, and a fresh one cannot",
            "tunesmith.yaml: train.objective",
            "set train.objective: sft",
        )


def check_preferences(rows: Sequence[EncodedRow], learner: Learner) -> None:
    """Raise InputError where rows cannot be trained as preferences."""
    if learner.batches != "tree":
        raise InputError(
            "objective_not_served",
            f"preferences between answers are for language models, and this base is tuned as {learner.name}",
            "tunesmith.yaml: train.objective",
            "set train.objective: sft",
        )
    without = [row.id for row in rows if not row.rejected]
    if without:
        raise InputError(
            "no_rejected_answer",
            f"{len(without):,} of {len(rows):,} rows have no rejected answer ({', '.join(without[:3])}), "
            "and train.objective: dpo needs one in each",
            "tunesmith.yaml: collect",
            "name its column (`rejected: COLUMN` with the source), take out the rows without one, or set "
            "train.objective: sft",
        )
