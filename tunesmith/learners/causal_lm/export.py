"""Write a tuned causal language model in the form that transformers and peft load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunesmith.learners.causal_lm.encode import load_tokenizer
from tunesmith.learners.model_card import write_card
from tunesmith.products import BaseModel, GoalSheet

USE_ADAPTER = """import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
base = AutoModelForCausalLM.from_pretrained(BASE_FOLDER, dtype=torch.float32)
model = PeftModel.from_pretrained(base, ".").eval()
"""
USE_WHOLE = """from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".").eval()
"""
USE = """messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": "…"}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
output = model.generate(**inputs, do_sample=False, max_new_tokens=256)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""


def save_model(model: Any, base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], folder: Path) -> None:
    """Save adapter or model as safetensors, with tokenizer and model card."""
    adapter = recipe["method"] != "full"
    if adapter:
        # The adapter's own name for its base: where it lies here. The card says what it is and how to get it.
        for config in model.peft_config.values():
            config.base_model_name_or_path = str(base.folder)
    model.save_pretrained(folder, safe_serialization=True)
    load_tokenizer(base.folder).save_pretrained(folder)
    (folder / "system_prompt.txt").write_text(goal.system + "\n", encoding="utf-8")
    write_card(
        folder,
        base,
        goal,
        recipe,
        pipeline_tag="text-generation",
        library="peft" if adapter else "transformers",
        usage=(USE_ADAPTER if adapter else USE_WHOLE) + USE,
    )
