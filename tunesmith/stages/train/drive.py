"""Drive the training loop: tell each measurement as an event, and stop with a checkpoint when the user asks."""

from __future__ import annotations

from pathlib import Path

from tunesmith import memory
from tunesmith.errors import Cancelled
from tunesmith.events import Pace
from tunesmith.stages.context import Context
from tunesmith.training.loop import Measurement, Run


def drive(training: Run, context: Context) -> None:
    """Drive the loop: tell each measurement; on a stop, save a checkpoint first."""
    pace: Pace | None = None
    start = 0
    for told in training:
        if pace is None and told.kind in ("step", "validation"):
            pace, start = Pace(training.recipe.steps), told.data["step"]
        _tell(told, context, pace, start)
        if context.ranks.tell(context.stopping() and not training.state.done):
            training.save()
            state = training.state
            raise Cancelled(f"stopped by you in step {state.step} of {state.steps}; the checkpoint is saved")


def _tell(told: Measurement, context: Context, pace: Pace | None, start: int) -> None:
    data = told.data
    if told.kind == "damaged":
        context.warn(f"a damaged checkpoint was passed over: {Path(data['directory']).name}")
    elif told.kind == "resumed":
        context.note(f"going on from step {data['step']} of {data['steps']}")
    elif told.kind == "anew":
        context.warn("no checkpoint of the run that was stopped is whole; training starts anew")
    elif told.kind == "skipped":
        context.warn(f"step {data['step']} changed nothing, since {data['why']}; its rows: {', '.join(data['ids'])}")
    elif told.kind == "grown":
        context.note(
            f"the validation part still gains clearly ({data['gain']:.3f}, standard error {data['error']:.3f}): "
            f"training goes on to step {data['steps']}"
        )
    elif told.kind == "validation":
        context.emit("metric", **data)
    elif told.kind == "step" and pace is not None:
        done = data["step"] - start
        pace.total = done + data["steps"] - data["step"]  # the plan may have grown
        left = pace.seconds_left(done)
        context.emit("metric", **data, memory_bytes=memory.resident(), peak_memory_bytes=memory.peak())
        context.emit("progress", done=data["step"], total=data["steps"], unit="steps", seconds_left=left)
