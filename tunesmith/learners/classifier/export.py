"""Write a tuned classifier in the form that transformers' text-classification pipeline loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunesmith.learners.classifier.encode import load_tokenizer
from tunesmith.learners.model_card import write_card
from tunesmith.products import BaseModel, GoalSheet

USE = """from transformers import pipeline

classify = pipeline("text-classification", model=".")
print(classify("…"))
"""


def save_model(model: Any, base: BaseModel, goal: GoalSheet, recipe: Mapping[str, Any], folder: Path) -> None:
    """Save the whole model as safetensors, with tokenizer and model card."""
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer = load_tokenizer(base.folder)
    tokenizer.model_max_length = base.context
    tokenizer.save_pretrained(folder)
    write_card(folder, base, goal, recipe, pipeline_tag="text-classification", library="transformers", usage=USE)
