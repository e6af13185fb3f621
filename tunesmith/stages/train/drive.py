"""Drive the training loop: tell each measurement as an event, and stop with a checkpoint when the user asks."""

from __future__ import annotations

from pathlib import Path

from tunesmith import memory
from tunesmith.errors import Cancelled
from tunesmith.events import Pace
from tunesmith.stages.context import Context
from tunesmith.training.loop import Measurement, Run
from tunesmith.training.recipe import Recipe


def drive(training: Run, context: Context) -> None:
    """Drive the loop: tell each measurement; on a stop, save a checkpoint first."""
    recipe = training.recipe
    pace: Pace | None = None
    start = 0
    for told in training:
        if pace is None and told.kind in ("step", "validation"):
            pace, start = Pace(recipe.steps), told.data["step"]
        _tell(told, recipe, context, pace, start)
        if context.ranks.tell(context.stopping() and not training.state.done):
            training.save()
            raise Cancelled(f"stopped by you in step {training.state.step} of {recipe.steps}; the checkpoint is saved")


def _tell(told: Measurement, recipe: Recipe, context: Context, pace: Pace | None, start: int) -> None:
    data = told.data
    if told.kind == "damaged":
        context.warn(f"a damaged checkpoint was passed over: {Path(data['directory']).name}")
    elif told.kind == "resumed":
        context.note(f"going on from step {data['step']} of {data['steps']}")
    elif told.kind == "anew":
        context.warn("no checkpoint of the run that was stopped is whole; training starts anew")
    elif told.kind == "skipped":
        context.warn(f"step {data['step']} changed nothing, since {data['why']}; its rows: {', '.join(data['ids'])}")
    elif told.kind == "validation":
        context.emit("metric", **data)
    elif told.kind == "step" and pace is not None:
        done = data["step"] - start
        left = pace.seconds_left(done)  # as if all steps were still to do at this pace
        remaining = left * (recipe.steps - data["step"]) / max(1, recipe.steps - done) if left else None
        context.emit("metric", **data, memory_bytes=memory.resident(), peak_memory_bytes=memory.peak())
        context.emit("progress", done=data["step"], total=recipe.steps, unit="steps", seconds_left=remaining)
