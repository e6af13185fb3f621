"""The engines and weights that a model can be served with."""

from __future__ import annotations

from typing import Literal, get_args

EngineName = Literal["auto", "llamacpp", "torch", "vllm", "openai"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
#: Of the weights that llama.cpp reads, as in export/forms.py.
PRECISIONS = ("f16", "q8_0", "q5_1", "q4_1", "f32")
