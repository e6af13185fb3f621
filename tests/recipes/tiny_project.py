"""Projects whose training takes a second: language models and a classifier, all real and all tiny."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tiny_bases import write_bert, write_llama
from tunesmith.artifact import Store, sha256_of

SETTINGS = """\
version: 1
name: tiny
goal: {input: text, output: OUTPUT, system: Be kind.}
base: {model: BASE}
collect:
  - {path: rows.jsonl, input: text, output: answer}
clean: {drop: [duplicate]}
split: {train: 0.7, validation: 0.15, test: 0.15}
# float32: `auto` measures, and a busy machine may measure otherwise
train: {TRAIN, validations: 4, precision: float32}
"""


@dataclass(frozen=True)
class Kind:
    """What is trained: ``output`` of the goal, settings of ``train``, and how many threads torch is given.

    In each a step has several batches, so that a kill may fall between two of them.
    """

    output: str
    threads: int
    train: str


LORA = "method: lora, epochs: 3, batch_size: 16, learning_rate: 0.01"
KINDS = {
    # Dropout makes it run through transformers' own layers, tree after tree.
    "language_model": Kind("text", 1, f"{LORA}, dropout: 0.2, checkpoint_seconds: 0"),
    # Our own layers, trees side by side, several steps between two checkpoints.
    "language_model_on_two_threads": Kind("text", 2, f"{LORA}, dropout: 0, checkpoint_seconds: 0.1"),
    # Batches side by side, and trained twice: to choose the step, and then on all rows.
    "classifier": Kind(
        "label",
        2,
        "epochs: 4, batch_size: 22, learning_rate: 0.001, dropout: 0.2, refit: true, checkpoint_seconds: 0",
    ),
}
THINGS = ("tent", "rucksack", "lamp", "stove", "bottle", "jacket", "map")
FAULTS = {"is torn": "refund", "has not come": "delivery", "was charged twice": "billing"}
OPENINGS = ("My {} {}.", "Hi, the {} {}!", "Help: this {} {}.")


def rows() -> list[dict[str, str]]:
    """63 messages with a label and an answer each."""
    return [
        {
            "text": opening.format(thing, fault),
            "label": label,
            "reply": f"Sorry! Ask {label} for the {thing}.",
        }
        for thing in THINGS
        for fault, label in FAULTS.items()
        for opening in OPENINGS
    ]


def write_tiny_project(folder: Path, kind: Kind, base: Path) -> Path:
    """Write a project that starts from the base in a folder of its own."""
    folder.mkdir(parents=True)
    answer = "label" if kind.output == "label" else "reply"
    lines = [json.dumps({"text": row["text"], "answer": row[answer]}) + "\n" for row in rows()]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    settings = SETTINGS.replace("OUTPUT", kind.output).replace("BASE", str(base)).replace("TRAIN", kind.train)
    (folder / "tunesmith.yaml").write_text(settings, encoding="utf-8")
    return folder


def write_base(folder: Path, kind: Kind) -> Path:
    return write_bert(folder) if kind.output == "label" else write_llama(folder)


def result_of(project: Path) -> dict[str, Any]:
    """Hashes of the weights and of the ledger of examples, the curve, and the step that was kept."""
    artifact = Store(project / ".tunesmith").latest("train")
    assert artifact is not None, "nothing was trained"
    told = artifact.read_json("train.json")
    [weights] = (artifact.path / "model").glob("*.safetensors")
    return {
        "weights": sha256_of(weights),
        "ledger": sha256_of(artifact.path / "examples.parquet"),
        "curve": told["curve"],
        "steps": [told["facts"][key] for key in ("steps", "best_step", "refit_steps")],
    }
