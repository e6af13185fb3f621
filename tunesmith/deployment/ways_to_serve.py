"""The engines and weights that a model can be served with."""

from __future__ import annotations

from typing import Literal, get_args

from tunesmith.errors import InputError

EngineName = Literal["auto", "llamacpp", "torch", "vllm", "openai"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
#: Of the weights that llama.cpp reads, as in export/forms.py.
PRECISIONS = ("f16", "q8_0", "q5_1", "q4_1", "f32")
#: The weights whose answers are the trained model's: a version with others goes by another id.
EXACT = "f16"


def check_precision(engine: EngineName, precision: str) -> None:
    """Raises InputError ``wrong_argument`` for weights of a precision where llama.cpp is not to read any."""
    if precision == EXACT or engine in ("auto", "llamacpp"):
        return
    by_torch = "--engine torch runs the model as it was trained"
    why = by_torch if engine == "torch" else f"for --engine {engine} a server of yours has its own"
    raise not_of_llamacpp(precision, why)


def not_of_llamacpp(precision: str, why: str) -> InputError:
    """The error of a precision that means nothing, since what serves has no such weights."""
    what = f"--precision {precision} is of the weights that llama.cpp reads, and {why}"
    return InputError("wrong_argument", what, "--precision", "leave --precision out")
