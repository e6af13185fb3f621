"""Train a classifier on few rows with SetFit, in an environment that has it, and answer the test rows.

``python setfit_few.py JOB.json`` prints one JSON object. The job: ``model`` folder (a sentence encoder), ``train`` and
``test`` (JSONL with ``text`` and ``label``), ``seed``, and ``settings`` for SetFit's TrainingArguments.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

from datasets import Dataset
from memory import megabytes
from setfit import SetFitModel, Trainer, TrainingArguments
from told import lines, script


def main(job: dict[str, Any]) -> dict[str, Any]:
    train, test = lines(job["train"]), lines(job["test"])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        model = SetFitModel.from_pretrained(job["model"], labels=sorted({row["label"] for row in train}))
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                seed=job["seed"],
                save_strategy="no",
                report_to="none",
                show_progress_bar=False,
                **job["settings"],
            ),
            train_dataset=Dataset.from_list(train),
        )
        trainer.train()
        seconds = time.perf_counter() - began
    answers = model.predict([row["text"] for row in test])
    right = [int(answer == row["label"]) for answer, row in zip(answers, test, strict=True)]
    return {"seconds": seconds, "losses": [], "megabytes": megabytes(), "right": right}


if __name__ == "__main__":
    script(main)
