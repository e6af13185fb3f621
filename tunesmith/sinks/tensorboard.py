"""Curves for TensorBoard, as event files in ``<folder>/tensorboard``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorboard  # noqa: F401 - torch's writer would tell less clearly that it is missing

from tunesmith.events import Event, Sink
from tunesmith.sinks import curves, scores


@contextmanager
def opened(folder: Path, run: str) -> Iterator[Sink]:
    """A sink into a fresh event file; a run that goes on after a stop adds a file beside the older one."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / "tensorboard"))  # type: ignore[no-untyped-call]

    def send(event: Event) -> None:
        found = curves(event)
        if found is not None:
            for name, value in found[1].items():
                writer.add_scalar(name, value, found[0])  # type: ignore[no-untyped-call]
        for name, value in scores(event).items():
            writer.add_scalar(name, value, 0)  # type: ignore[no-untyped-call]

    try:
        yield send
    finally:
        writer.close()  # type: ignore[no-untyped-call]
