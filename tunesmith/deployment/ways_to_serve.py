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
#: What llama.cpp computes with where weights have 16 bits, unless it is told otherwise.
WIDE = "f32"


def check_of_llamacpp(engine: EngineName, precision: str, arithmetic: str = WIDE) -> None:
    """Raises InputError ``wrong_argument`` for weights, or an arithmetic, of llama.cpp's where it is not to serve."""
    if engine in ("auto", "llamacpp"):
        return
    by_torch = "--engine torch runs the model as it was trained"
    why = by_torch if engine == "torch" else f"for --engine {engine} a server of yours has its own"
    if precision != EXACT:
        raise not_of_llamacpp(f"--precision {precision}", why)
    if arithmetic != WIDE:
        raise not_of_llamacpp(f"--arithmetic {arithmetic}", why)


def not_of_llamacpp(given: str, why: str) -> InputError:
    """The error of an option that means nothing, since llama.cpp does not serve. ``given``: with its value."""
    option, _, _ = given.partition(" ")
    what = f"{given} is for llama.cpp, and {why}"
    return InputError("wrong_argument", what, option, f"leave {option} out")
