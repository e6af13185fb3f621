"""Train a classifier with Transformers' Trainer, in an environment that has it, and answer the test rows.

``python transformers_trainer.py JOB.json`` prints one JSON object. The job is that of `ours_classifier.py`, with
``settings`` for TrainingArguments. Batches hold rows of like length and are padded to their longest row.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

from told import Told, lines, script
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def main(job: dict[str, Any]) -> dict[str, Any]:
    """``seconds`` count from a fresh model to the trained one; texts are tokens by then."""
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    train, test = lines(job["train"]), lines(job["test"])
    labels = sorted({row["label"] for row in [*train, *test]})
    number = {label: place for place, label in enumerate(labels)}
    told = Told()
    with tempfile.TemporaryDirectory() as folder:
        arguments = arguments_of(job, folder)
        rows = encoded(tokenizer, train, number)
        began = time.perf_counter()
        set_seed(arguments.seed)
        trainer = Trainer(
            model=AutoModelForSequenceClassification.from_pretrained(job["model"], num_labels=len(number)),
            args=arguments,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[told],
        )
        trainer.train()
        seconds = time.perf_counter() - began
        found = told.all()
        predicted = trainer.predict(encoded(tokenizer, test, number))
    right = (predicted.predictions.argmax(1) == predicted.label_ids).astype(int).tolist()
    return {**found, "seconds": seconds, "right": right}


def encoded(tokenizer: Any, rows: list[dict[str, str]], number: dict[str, int]) -> list[dict[str, Any]]:
    """Token ids and labels, not padded."""
    texts = tokenizer([row["text"] for row in rows], truncation=True)
    return [
        {"input_ids": ids, "attention_mask": seen, "labels": number[row["label"]]}
        for ids, seen, row in zip(texts["input_ids"], texts["attention_mask"], rows, strict=True)
    ]


def arguments_of(job: dict[str, Any], folder: str) -> TrainingArguments:
    """The job in Trainer's words: warmup and weight decay are those of our side."""
    return TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=job["batch_size"],
        per_device_eval_batch_size=job["batch_size"],
        learning_rate=job["learning_rate"],
        num_train_epochs=job["epochs"],
        warmup_steps=0.06,  # below 1 it is a share of the steps
        weight_decay=0.01,
        train_sampling_strategy="group_by_length",
        logging_steps=10,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        **job["settings"],
    )


if __name__ == "__main__":
    script(main)
