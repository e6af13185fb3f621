"""Start trials on a project: make it as far as its split, hold it, and hand its rows over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunesmith.errors import TunesmithError
from tunesmith.events import Event, JsonLines, Sink, fan_out, ignore
from tunesmith.pipeline.run import guard_disk, stop_on_interrupt
from tunesmith.threads import be_patient
from tunesmith.trials.bases import BasesCompared, compare_bases
from tunesmith.trials.budget import Budget
from tunesmith.trials.more_data import MoreData, more_data
from tunesmith.trials.rows import Prepared, prepare
from tunesmith.trials.search import Searched, search

if TYPE_CHECKING:
    from tunesmith.project import Project

MINUTES = 20.0


@contextmanager
def prepared(project: Project, overrides: Sequence[str] = (), on_event: Sink = ignore) -> Iterator[Prepared]:
    """The rows for trials, while the project is locked; stages up to split that are not up to date are made first."""
    result = project.run(to="split", overrides=overrides, on_event=on_event)
    settings = project.read(overrides)
    be_patient()
    with guard_disk(project.root), project.store.lock(), stop_on_interrupt(on_event) as stopping:
        sink = fan_out(on_event, JsonLines(project.store.root / "events.jsonl"))
        found = prepare(project, settings, dict(result.artifacts), stopping, sink)
        began = time.monotonic()
        sink(Event("stage_started", "advise"))
        try:
            yield found
        except TunesmithError as error:
            sink(Event("stage_failed", "advise", {"code": error.code, "what": error.what}))
            raise
        sink(Event("stage_finished", "advise", {"counts": {}, "seconds": time.monotonic() - began}))


def forecast_more_data(
    project: Project,
    *,
    examples: int | None = None,
    minutes: float = MINUTES,
    overrides: Sequence[str] = (),
    on_event: Sink = ignore,
) -> MoreData:
    """What more examples are worth, by trainings on nested parts of those that there are."""
    with prepared(project, overrides, on_event) as rows:
        return more_data(rows, examples=examples, budget=Budget(minutes))


def try_bases(
    project: Project,
    names: Sequence[str],
    *,
    minutes: float = MINUTES,
    overrides: Sequence[str] = (),
    on_event: Sink = ignore,
) -> BasesCompared:
    """Train each base on the same rows and compare them on the validation part."""
    with prepared(project, overrides, on_event) as rows:
        return compare_bases(rows, names, Budget(minutes))


def search_settings(
    project: Project,
    keys: Sequence[str],
    *,
    minutes: float = MINUTES,
    overrides: Sequence[str] = (),
    on_event: Sink = ignore,
    clock: Callable[[], float] | None = None,
) -> Searched:
    """Search settings of `train` by successive halving, and compare the best with the project's own."""
    with prepared(project, overrides, on_event) as rows:
        return search(rows, keys, Budget(minutes, clock) if clock else Budget(minutes))
