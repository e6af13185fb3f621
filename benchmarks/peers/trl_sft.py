"""Fine-tune with TRL's SFTTrainer, in an environment that has TRL.

``python trl_sft.py JOB.json`` prints one JSON object. The job is that of `trl_job.py`, with ``tokens``: JSONL
with ``input_ids`` and ``completion_mask``, written by our side, so that both train on the same.
"""

from __future__ import annotations

import tempfile
from typing import Any

from datasets import Dataset
from told import Told, lines, script
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer
from trl_job import InOrder, model_of, settings_of


class Trainer(InOrder, SFTTrainer):  # type: ignore[misc]
    """TRL's own, but for the order of the rows."""


def main(job: dict[str, Any]) -> dict[str, Any]:
    told = Told()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model_of(job),
            args=SFTConfig(completion_only_loss=True, **settings_of(job, folder)),
            train_dataset=Dataset.from_list(lines(job["tokens"])),
            processing_class=AutoTokenizer.from_pretrained(job["model"]),
            callbacks=[told],
        )
        trainer.train()
    return told.all()


if __name__ == "__main__":
    script(main)
