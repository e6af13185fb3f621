"""Write the tuned classifier for others to load: it is a whole model already."""

from __future__ import annotations

import shutil
from pathlib import Path

from tunesmith.products import BaseModel, GoalSheet, TunedModel


def save_whole(base: BaseModel, goal: GoalSheet, tuned: TunedModel, folder: Path) -> None:
    """Copy safetensors, tokenizer and model card to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(tuned.folder.iterdir()):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
