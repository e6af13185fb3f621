"""Make every stage that is not up to date."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import base_folder
from tunesmith.answering.cache import FOLDER as ANSWERS
from tunesmith.artifact import Artifact, hash_of
from tunesmith.errors import InputError, TunesmithError, from_os_error, os_error_in, raise_all
from tunesmith.events import Event, JsonLines, Sink, fan_out
from tunesmith.launch import follows
from tunesmith.pipeline import advising, encoder, improving, rounds
from tunesmith.pipeline.follow import follow
from tunesmith.pipeline.in_use import in_use_folder
from tunesmith.pipeline.order import BY_NAME, Order, Stage, open_product, order_for, upstream
from tunesmith.pipeline.round_models import round_models
from tunesmith.pipeline.stale import earlier_split, facts, recipe, usable
from tunesmith.products import (
    Advice,
    BaseModel,
    CleanSet,
    Collection,
    Dataset,
    GoalSheet,
    Proposal,
    Report,
    Splits,
    TunedModel,
)
from tunesmith.retrieval.index import FOLDER as KNOWLEDGE
from tunesmith.stages.context import Context
from tunesmith.threads import be_patient
from tunesmith.training.ranks import Ranks
from tunesmith.training.torch_ranks import joined

if TYPE_CHECKING:
    from tunesmith.project import Project
    from tunesmith.project_file import ProjectSettings


@dataclass(frozen=True)
class RunResult:
    """What a run made. Products of stages that were not asked for are None."""

    made: list[str]
    skipped: list[str]
    goal: GoalSheet | None = None
    base: BaseModel | None = None
    collect: Collection | None = None
    clean: CleanSet | None = None
    format: Dataset | None = None
    split: Splits | None = None
    advise: Advice | None = None
    train: TunedModel | None = None
    test: Report | None = None
    improve: Proposal | None = None
    seconds: float = 0.0
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)

    @property
    def verdict(self) -> dict[str, Any] | None:
        return self.test.verdict if self.test else None

    @property
    def report(self) -> Path | None:
        return self.test.html if self.test else None

    @property
    def model(self) -> Path | None:
        return self.train.folder if self.train else None

    @property
    def exit_code(self) -> int:
        """0 done; 3 done, but the model is not shown to be good enough. Without a goal there is nothing to be shown."""
        if self.verdict is None or self.verdict["decision"] == "ship":
            return 0
        return 0 if self.verdict["decision"] == "not_enough_evidence" and self.verdict["code"] == "no_goal" else 3


def check(project: Project, settings: ProjectSettings, to: str | None = None) -> None:
    """Look for every fault that can be found before anything is made up to ``to``, and raise them together.

    Rows are looked at only when something is wrong anyway, so that a user hears of all of it at once.
    """
    from tunesmith.stages.base import run as base
    from tunesmith.stages.collect.look import row_faults
    from tunesmith.stages.goal import run as goal

    faults: list[InputError] = []
    checks: list[Callable[[], Any]] = [
        lambda: goal.check(settings.goal, project.root),
        lambda: base.check(settings.base, project.root),
        lambda: facts(project, settings, "collect"),
        project.decisions,
    ]
    if to == "advise":
        checks.append(lambda: advising.check(project, settings))
    if to == "improve":
        checks.append(lambda: improving.check(project, settings))
    for look in checks:
        try:
            look()
        except InputError as error:
            faults += getattr(error, "faults", [error])
    if faults:
        faults += row_faults(settings.collect, project.root, settings.goal.output)
    raise_all(faults)


def run(
    project: Project,
    settings: Callable[[], ProjectSettings],
    *,
    to: str | None,
    from_scratch: bool,
    sink: Sink,
) -> RunResult:
    """Run the stages up to ``to``. ``settings`` is called again after the goal was written back.

    Of processes that were launched together the first runs the stages. The others take their share of the
    training, and their results are empty.
    """
    if to is not None and to not in BY_NAME:
        raise InputError("unknown_stage", f"there is no stage {to!r}", fix=f"stages: {', '.join(BY_NAME)}")
    if follows():
        follow()
        return RunResult([], [])
    be_patient()
    with joined() as ranks:
        return _run(project, settings, to, from_scratch, sink, ranks)


def _run(
    project: Project,
    settings: Callable[[], ProjectSettings],
    to: str | None,
    from_scratch: bool,
    sink: Sink,
    ranks: Ranks,
) -> RunResult:
    """Run the stages, as the first of ``ranks``."""
    current = settings()
    check(project, current, to)
    began = time.monotonic()
    made: dict[str, Artifact] = {}
    fresh: list[str] = []
    order = order_for(current)
    names = upstream(to or "test", order)
    base_verified = False
    with guard_disk(project.root), project.store.lock(), stop_on_interrupt(sink) as stopping:
        if from_scratch:
            shutil.rmtree(project.store.work, ignore_errors=True)
            shutil.rmtree(project.store.root / ANSWERS, ignore_errors=True)
        project.store.sweep([stage.name for stage in BY_NAME.values() if stage.keeps_work])
        log = JsonLines(project.store.root / "events.jsonl")
        sink = fan_out(sink, log)
        sink(Event("run_started", data={"stages": list(names)}))
        for name in names:
            stage = order.stages[name]
            if name == "goal":
                current = _write_goal_back(project, settings, made["collect"], sink)
            if name == "advise":
                advising.fetch(project, current, sink)
            given = {**made, **usable(project, current, order, stage, made)}
            wanted = recipe(project, current, stage, given)
            id = hash_of(wanted)
            artifact = None if from_scratch else project.store.find(name, id, full=True)
            if artifact is None and name == "clean":
                encoder.fetch(project, current, sink)
                wanted = recipe(project, current, stage, made, anew=True)
                id = hash_of(wanted)
                artifact = None if from_scratch else project.store.find(name, id, full=True)
            if artifact is not None:
                project.store.mark_latest(artifact)
                sink(Event("stage_skipped", name, {"why": "up to date", "counts": dict(artifact.counts)}))
            else:
                if "base" in stage.needs and not base_verified:
                    base_folder.verify(BaseModel.open(made["base"]).folder, full=True)
                    base_verified = True
                artifact = _make(project, current, order, stage, id, wanted, given, sink, stopping, ranks)
                fresh.append(name)
            made[name] = artifact
            if name == "test":
                rounds.record(project, current, made)
        seconds = time.monotonic() - began
        sink(Event("run_finished", data={"made": fresh, "seconds": seconds}))
    opened = {name: open_product(BY_NAME[name], artifact, BY_NAME["test"]) for name, artifact in made.items()}
    skipped = [name for name in names if name not in fresh]
    return RunResult(fresh, skipped, **opened, seconds=seconds, artifacts=made)


def _write_goal_back(
    project: Project, settings: Callable[[], ProjectSettings], collected: Artifact, sink: Sink
) -> ProjectSettings:
    """Read absent labels or an absent schema from the data, and write them where the user sees them.

    When an override, not the file, says what comes out, they are for this run alone.
    """
    from tunesmith.stages.goal.infer import infer

    current = settings()
    found = infer(current.goal, Collection.open(collected))
    if found is None:
        return current
    if project.settings.goal.output != current.goal.output:
        sink(Event("note", "goal", {"text": f"{found.words}, for this run alone{found.left}"}))
        read = {"labels": list(found.labels)} if found.labels is not None else {"schema_": found.schema}
        return current.model_copy(update={"goal": current.goal.model_copy(update=read)})
    place = project.write_goal(found)
    sink(Event("note", "goal", {"text": f"{found.words} and written to {place}{found.left}"}))
    return settings()


def _make(
    project: Project,
    settings: ProjectSettings,
    order: Order,
    stage: Stage,
    id: str,
    wanted: dict[str, Any],
    made: Mapping[str, Artifact],
    sink: Sink,
    stopping: Callable[[], bool],
    ranks: Ranks,
) -> Artifact:
    """Make one stage: its folder is renamed into place when whole, thrown away when it fails."""
    sink(Event("stage_started", stage.name))
    began = time.monotonic()
    decisions = project.decisions()
    folder = project.store.begin(stage.name, id, resume=stage.keeps_work)
    context = Context(
        stage=stage.name,
        project=project.root,
        folder=folder,
        cache=project.cache,
        seed=settings.seed,
        sink=sink,
        decisions=decisions,
        stopping=stopping,
        facts={
            "output": settings.goal.output,
            "stage_seconds": {name: artifact.seconds for name, artifact in made.items()},
            "name": settings.name,
            "made": {name: made[name].id for name in stage.given(made)},
            "kept_columns": settings.split.kept_columns,
            "earlier_split": earlier_split(project, wanted),
            "encoder": _encoder(project, settings, stage.name),
            "knowledge": project.store.root / KNOWLEDGE,
            "earlier_clean": _folder_of_latest(project, "clean"),
            "corrections": improving.corrections(project) if stage.name == "improve" else (),
            "requests": improving.requests(project, settings) if stage.name == "improve" else (),
            "answers": project.store.root / ANSWERS,
            "rounds": rounds.earlier(project.store, made) if stage.name == "test" else (),
            "round_models": round_models(project, settings.test.asked_rounds) if stage.name == "test" else {},
            **in_use_folder(project, wanted),
        },
        ranks=ranks,
    )
    try:
        with guard_disk(project.root):
            inputs = {name: open_product(order.stages[name], made[name], stage) for name in stage.given(made)}
            counts = stage.module.run(inputs, settings.of(stage.name), context)
            seconds = time.monotonic() - began
            artifact = project.store.finish(stage.name, id, made_by=wanted, counts=counts, seconds=seconds)
    except BaseException as error:
        if not stage.keeps_work:
            project.store.abandon(stage.name, id)
        if isinstance(error, TunesmithError):
            with suppress(OSError):  # a full disk takes no event either; what failed is what is told
                sink(Event("stage_failed", stage.name, {"code": error.code, "what": error.what}))
        raise
    sink(Event("stage_finished", stage.name, {"counts": counts, "seconds": seconds}))
    return artifact


def _encoder(project: Project, settings: ProjectSettings, stage: str) -> dict[str, Any] | None:
    """The encoder for the stages that look at rows by their meaning."""
    if stage == "advise":
        return advising.given(project, settings)
    if stage == "improve":
        return encoder.at_hand(project)
    return encoder.given(project, settings) if stage == "clean" else None


def _folder_of_latest(project: Project, name: str) -> Path | None:
    latest = project.store.latest(name)
    return latest.path if latest else None


@contextmanager
def guard_disk(place: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into words. ``place`` is told when the error names no file."""
    try:
        yield
    except TunesmithError:
        raise
    except Exception as error:
        known = os_error_in(error)
        if known is None:
            raise
        raise from_os_error(known, str(place)) from error


@contextmanager
def stop_on_interrupt(sink: Sink) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C (or SIGTERM) asks to stop at the next safe point; the second stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def on_signal(number: int, frame: Any) -> None:
        if asked.is_set():
            os._exit(130)
        asked.set()
        sink(Event("note", data={"text": "stopping at the next safe point; once more to stop at once"}))

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
