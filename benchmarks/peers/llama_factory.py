"""Fine-tune with LLaMA-Factory, in an environment that has it.

``python llama_factory.py JOB.json`` prints one JSON object. The job is that of `trl_job.py`, with ``rows``:
JSONL with ``prompt`` and ``completion`` as messages. LLaMA-Factory has this model's template, so it makes the
tokens itself (it also trains the line break that follows an answer), and an adapter of its own.
"""

from __future__ import annotations

import importlib.machinery
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from told import Told, lines, script

# LLaMA-Factory imports torchaudio, for sound alone, and peers/environment.py takes it out: the package index has it
# for CUDA only, which does not load where there is none.
sys.modules["torchaudio"] = types.ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)

from llamafactory.train.tuner import run_exp  # noqa: E402

#: How LLaMA-Factory is told to read conversations as messages with a role and a content.
DATASET = {
    "file_name": "rows.json",
    "formatting": "sharegpt",
    "columns": {"messages": "messages"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}


def main(job: dict[str, Any]) -> dict[str, Any]:
    told = Told()
    with tempfile.TemporaryDirectory() as folder:
        messages = [{"messages": [*row["prompt"], *row["completion"]]} for row in lines(job["rows"])]
        Path(folder, "rows.json").write_text(json.dumps(messages), encoding="utf-8")
        Path(folder, "dataset_info.json").write_text(json.dumps({"rows": DATASET}), encoding="utf-8")
        run_exp(arguments(job, folder), callbacks=[told])
    return told.all()


def arguments(job: dict[str, Any], folder: str) -> dict[str, Any]:
    """The job in LLaMA-Factory's words; what is not named is at its default."""
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": job["model"],
        "template": "smollm2",
        "dataset": "rows",
        "dataset_dir": folder,
        "finetuning_type": "lora",
        "lora_target": "all",
        "lora_rank": job["rank"],
        "lora_alpha": job["alpha"],
        "per_device_train_batch_size": job["batch_size"],
        "learning_rate": job["learning_rate"],
        "num_train_epochs": 1,
        "output_dir": f"{folder}/output",
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        **job["settings"],
    }


if __name__ == "__main__":
    script(main)
