"""Fine-tune with TRL's SFTTrainer; run by `benchmarks/training.py` in an environment that has TRL.

``python trl_sft.py JOB.json`` prints one JSON object. The job: ``model`` folder, ``tokens`` (JSONL with
``input_ids`` and ``completion_mask``, written by our side, so that both train on the same), ``adapter``
(initial LoRA weights), ``batch_size``, ``learning_rate``, ``rank``, ``alpha``, ``dtype`` of the model, and
``settings`` for SFTConfig.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class InOrder(SFTTrainer):  # type: ignore[misc]
    """Steps take the rows in the file's order, so that losses can be compared step by step."""

    def _get_train_sampler(self, *args: Any) -> Any:
        if self.args.packing or self.args.train_sampling_strategy != "random":
            return super()._get_train_sampler(*args)
        return SequentialSampler(self.train_dataset)


class Losses(TrainerCallback):  # type: ignore[misc]
    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def main(job: dict[str, Any]) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=getattr(torch, job["dtype"]))
    config = LoraConfig(r=job["rank"], lora_alpha=job["alpha"], target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    set_peft_model_state_dict(model, load_file(job["adapter"]))
    rows = [json.loads(line) for line in Path(job["tokens"]).read_text(encoding="utf-8").splitlines()]
    told = Losses()
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            learning_rate=job["learning_rate"],
            num_train_epochs=1,
            completion_only_loss=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
            **{"per_device_train_batch_size": job["batch_size"], **job["settings"]},
        )
        trainer = InOrder(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[told],
        )
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "losses": told.losses,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1_000_000,
        "settings": {name: str(getattr(arguments, name)) for name in ("bf16", "gradient_checkpointing", "packing")},
    }


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
