"""Drive the training loop: tell each measurement as an event, and stop with a checkpoint when the user asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tunesmith import memory
from tunesmith.errors import Cancelled
from tunesmith.events import Pace
from tunesmith.training.loop import Measurement, Run

#: Sends an event of this kind with its data.
Emit = Callable[..., None]


def drive(training: Run, emit: Emit, stopping: Callable[[], bool]) -> None:
    """Drive the loop: tell each measurement; when the user is ``stopping``, save a checkpoint first.

    Raises Cancelled then, in every rank.
    """
    pace: Pace | None = None
    start = 0
    for told in training:
        if pace is None and told.kind in ("step", "validation"):
            pace, start = Pace(training.recipe.steps), told.data["step"]
        _tell(told, emit, pace, start)
        if training.ranks.tell(stopping() and not training.state.done):
            training.save()
            state = training.state
            raise Cancelled(f"stopped by you in step {state.step} of {state.steps}; the checkpoint is saved")


def _tell(told: Measurement, emit: Emit, pace: Pace | None, start: int) -> None:
    data = told.data
    if told.kind == "damaged":
        emit("warning", text=f"a damaged checkpoint was passed over: {Path(data['directory']).name}")
    elif told.kind == "resumed":
        emit("note", text=f"going on from step {data['step']} of {data['steps']}")
    elif told.kind == "anew":
        emit("warning", text="no checkpoint of the run that was stopped is whole; training starts anew")
    elif told.kind == "skipped":
        emit(
            "warning",
            text=f"step {data['step']} changed nothing, since {data['why']}; its rows: {', '.join(data['ids'])}",
        )
    elif told.kind == "grown":
        gain = f"the validation part still gains clearly ({data['gain']:.3f}, standard error {data['error']:.3f})"
        emit("note", text=f"{gain}: training goes on to step {data['steps']}")
    elif told.kind == "validation":
        emit("metric", **data)
    elif told.kind == "step" and pace is not None:
        done = data["step"] - start
        pace.total = done + data["steps"] - data["step"]  # the plan may have grown
        left = pace.seconds_left(done)
        emit("metric", **data, memory_bytes=memory.resident(), peak_memory_bytes=memory.peak())
        emit("progress", done=data["step"], total=data["steps"], unit="steps", seconds_left=left)
