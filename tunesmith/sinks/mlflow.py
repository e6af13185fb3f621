"""Curves for MLflow, into the tracking server or folder that MLFLOW_TRACKING_URI names (or MLflow's default)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow

from tunesmith.events import Event, Sink
from tunesmith.sinks import curves, scores


@contextmanager
def opened(folder: Path, run: str) -> Iterator[Sink]:
    """A sink into a run of its own in the experiment of the project's name; a failure is told in its status."""
    mlflow.set_experiment(run)
    mlflow.start_run(log_system_metrics=False)

    def send(event: Event) -> None:
        found = curves(event)
        if found is not None:
            mlflow.log_metrics(dict(found[1]), step=found[0])
        measured = scores(event)
        if measured:
            mlflow.log_metrics(dict(measured))

    try:
        yield send
    finally:
        mlflow.end_run("FAILED" if sys.exc_info()[0] else "FINISHED")
