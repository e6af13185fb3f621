"""Where the curves of a run can be sent besides the screen: one event stream, a sink for each tool.

Each needs its library, an extra of Tunesmith: ``pip install 'tunesmith[tensorboard]'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tunesmith.errors import InputError
from tunesmith.events import Event, Sink, fan_out

NAMES = ("tensorboard", "mlflow")
#: The numbers of a training's metrics that are curves, and the names they get.
CURVES = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "train_accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
    "learning_rate": "learning_rate",
    "gradient_norm": "gradient_norm",
    "tokens_per_second": "tokens_per_second/real",
    "computed_tokens_per_second": "tokens_per_second/computed",
    "memory_bytes": "memory_bytes/now",
    "peak_memory_bytes": "memory_bytes/peak",
}


@contextmanager
def open_sinks(names: Sequence[str], folder: Path, run: str) -> Iterator[Sink]:
    """A sink that hands each event to all tools named; they are closed with the block, however it ends.

    ``folder`` is where tools that keep files put them; ``run`` names the run. Raises InputError when
    a tool's library is missing.
    """
    with ExitStack() as stack:
        modules = [_module(name) for name in dict.fromkeys(names)]
        yield fan_out(*(stack.enter_context(module.opened(folder, run)) for module in modules))


def _module(name: str) -> Any:
    try:
        return import_module(f"tunesmith.sinks.{name}")
    except ImportError as error:
        raise InputError(
            "extra_missing",
            f"{name} is not installed ({error})",
            f"--log-to {name}",
            f"pip install 'tunesmith[{name}]'",
        ) from error


def curves(event: Event) -> tuple[int, Mapping[str, float]] | None:
    """The step and the named numbers of a training's metric; None for any other event."""
    if event.kind != "metric" or event.stage != "train" or "step" not in event.data:
        return None
    numbers = {name: float(event.data[key]) for key, name in CURVES.items() if event.data.get(key) is not None}
    return (int(event.data["step"]), numbers) if numbers else None


def scores(event: Event) -> Mapping[str, float]:
    """The primary metric of base and tuned, once the stage `test` is finished."""
    if event.kind != "stage_finished" or event.stage != "test":
        return {}
    primary = event.data.get("counts", {}).get("primary", {})
    metric = primary.get("metric", "score")
    return {f"test/{metric}/{name}": float(primary[name]) for name in ("base", "tuned") if name in primary}
