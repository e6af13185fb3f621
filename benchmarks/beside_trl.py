"""The training jobs beside TRL: what each side is told, and the job itself.

Both sides train the same tokens in the same order, from the same adapter weights, with the same
optimizer settings; only the training itself is timed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.base_model import folder_of
from benchmarks.figure import Figure
from benchmarks.sides import Side, speeds, take_turns
from benchmarks.training_rows import write_rows

OURS = Side("ours", "ours.py", job={"dtype": "bfloat16"})
#: TRL as it comes: a float32 model in bfloat16 autocast, with gradient checkpointing.
DEFAULTS = Side("TRL defaults", "trl_sft.py", "trl", {"dtype": "float32"})
DPO_DEFAULTS = Side("TRL defaults", "trl_dpo.py", "trl", {"dtype": "float32"})
#: The best setting found: 16 rows a step packed into one sequence, a bfloat16 model, no checkpointing.
PACKED = {
    "packing": True,
    "max_length": 704,
    "per_device_train_batch_size": 1,
    "gradient_checkpointing": False,
    "bf16": False,
}
BEST = Side("TRL best", "trl_sft.py", "trl", {"dtype": "bfloat16", "settings": PACKED})
#: Both sides with nothing but float32, to compare losses.
OURS_EXACT = Side("ours, float32", "ours.py", job={"dtype": "float32"})
EXACT = Side(
    "TRL, float32",
    "trl_sft.py",
    "trl",
    {"dtype": "float32", "settings": {"bf16": False, "gradient_checkpointing": False}},
)
JOB = {"batch_size": 16, "learning_rate": 2e-4, "rank": 16, "alpha": 32, "beta": 0.1}


@contextmanager
def job_of(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Path]]:
    """The job of training SmolLM2 on these rows, and a folder for it that goes afterwards.

    Our side writes ``tokens`` and the initial ``adapter``, for the others to train on, so it goes first.
    """
    model = folder_of("smollm2-135m-instruct", "text")
    with tempfile.TemporaryDirectory(prefix="tunesmith-training-") as temporary:
        folder = Path(temporary)
        yield (
            {
                **JOB,
                "model": str(model),
                "rows": str(write_rows(folder / "rows.jsonl", rows)),
                "adapter": str(folder / "adapter.safetensors"),
                "tokens": str(folder / "tokens.jsonl"),
            },
            folder,
        )


def times_trl(
    name: str, rows: Sequence[dict[str, Any]], side: Side, bar: float, number: int, **more: Any
) -> list[Figure]:
    """Rows a second of ours and of one side of TRL, held to a bar. ``more`` is added to the job."""
    with job_of(rows) as (job, folder):
        measured = take_turns([OURS, side], {**job, **more}, folder)
    return speeds(name, measured, len(rows), {side.name: bar}, number)
