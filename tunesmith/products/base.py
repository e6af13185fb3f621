"""The model to start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tunesmith.artifact import Artifact


@dataclass(frozen=True)
class BaseModel:
    """The model to start from. ``folder`` is a verified local folder in Hugging Face form.

    ``context`` is in tokens; ``parameters`` a count; ``sha256`` that of the weights as fetched (or made).
    ``from_scratch``: its weights are random and its tokenizer is of the user's text, so it knows nothing yet.
    """

    name: str
    kind: Literal["causal_lm", "encoder"]
    folder: Path
    parameters: int
    context: int
    licence: str
    languages: tuple[str, ...]
    source: str
    sha256: str
    reason: str
    from_scratch: bool = False

    @classmethod
    def open(cls, artifact: Artifact) -> BaseModel:
        data = artifact.read_json("base.json")
        data["folder"] = artifact.path / data["folder"]  # an absolute one stays; a fresh model lies in the artifact
        data["languages"] = tuple(data["languages"])
        return cls(**data)
