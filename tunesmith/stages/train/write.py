"""Write what training made: the model's folder and the ledger of its examples, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.artifact import fsync
from tunesmith.example_parquet import TRAINED, RowWriter
from tunesmith.training.disk import told_of_disk

if TYPE_CHECKING:
    from tunesmith.learners.protocol import Trainable

MODEL = "model"
LEDGER = "examples.parquet"


def write_model(model: Trainable, lines: Iterable[Mapping[str, Any]], folder: Path, step: int) -> None:
    """Write the model and the ledger's lines into a stage's folder, durable when this returns.

    Raises TunesmithError when the disk does not take them; ``step`` is that of the checkpoint that a run
    then goes on from.
    """
    place, ledger = folder / MODEL, folder / LEDGER
    shutil.rmtree(place, ignore_errors=True)  # of a run that was killed here
    size = sum(tensor.numel() * tensor.element_size() for tensor in model.trained_state().values())
    try:
        with told_of_disk(folder, "the model", size, step):
            place.mkdir()
            model.save(place)
            with RowWriter(ledger, TRAINED) as writer:
                for line in lines:
                    writer.write(line)
            for path in (ledger, *place.rglob("*"), place):
                fsync(path)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):
            ledger.unlink()
        raise
