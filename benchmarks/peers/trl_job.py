"""What TRL's scripts share: the model with the adapter that our side began with, and the order of the rows.

The job: ``model`` folder, ``adapter`` (initial LoRA weights), ``batch_size``, ``learning_rate``, ``rank``,
``alpha``, ``dtype`` of the model, and ``settings`` for TRL's configuration.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from torch.utils.data import SequentialSampler
from transformers import AutoModelForCausalLM


class InOrder:
    """Mixed into a trainer: steps take the rows in the file's order, so that losses can be compared step by step.

    Packing makes other rows of them, and orders these itself.
    """

    args: Any
    train_dataset: Any

    def _get_train_sampler(self, *args: Any) -> Any:
        if getattr(self.args, "packing", False):
            return super()._get_train_sampler(*args)  # type: ignore[misc]
        return SequentialSampler(self.train_dataset)


def model_of(job: dict[str, Any]) -> Any:
    """The model with a LoRA adapter on all linear layers, its weights those of the job."""
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=getattr(torch, job["dtype"]))
    config = LoraConfig(r=job["rank"], lora_alpha=job["alpha"], target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    set_peft_model_state_dict(model, load_file(job["adapter"]))
    return model


def settings_of(job: dict[str, Any], folder: str) -> dict[str, Any]:
    """One epoch on the CPU, each step's loss logged, nothing saved; then what the job sets."""
    return {
        "output_dir": folder,
        "per_device_train_batch_size": job["batch_size"],
        "learning_rate": job["learning_rate"],
        "num_train_epochs": 1,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        **job["settings"],
    }
