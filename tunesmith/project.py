"""Project: a folder with a tunesmith.yaml, and everything one can do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import decisions, project_file, ratings, user_folder
from tunesmith.artifact import Store
from tunesmith.decisions import Decisions
from tunesmith.errors import InputError
from tunesmith.events import Sink, ignore
from tunesmith.launch import follows
from tunesmith.project_file import FILE, ProjectSettings
from tunesmith.ratings import Ratings
from tunesmith.tombstones import FOLDER, PENDING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tunesmith.accept import Accepted
    from tunesmith.ask import Answer
    from tunesmith.blind_review import BlindReview
    from tunesmith.deployed import Deployment
    from tunesmith.deploying import Deployed
    from tunesmith.deployment.drift import Drift
    from tunesmith.deployment.watch import Watch
    from tunesmith.deployment.ways_to_serve import EngineName
    from tunesmith.export.reference import Tell
    from tunesmith.export.run import Exported
    from tunesmith.export.shrink import Tried
    from tunesmith.forget.plan import Plan
    from tunesmith.inbox import Inbox
    from tunesmith.pipeline.run import RunResult
    from tunesmith.pipeline.stale import StageStatus
    from tunesmith.review import Review
    from tunesmith.rounds.compare import Comparison, ShownRound
    from tunesmith.shown_batch import ShownBatch
    from tunesmith.shown_rows import ShownRow
    from tunesmith.stages.collect.look import SourceLook
    from tunesmith.stages.goal.infer import Inferred
    from tunesmith.trials.compare_bases import BasesCompared
    from tunesmith.trials.more_data import MoreData
    from tunesmith.trials.search import Searched

#: A change to another round that a kill may have cut off, in the folder of what Tunesmith makes.
PENDING_ROUND = "rounds/pending.json"


class Project:
    """A project on disk. Make one with `Project.create`, open one with `Project.open`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.file = self.root / FILE
        self.store = Store(self.root / ".tunesmith")
        self.finished_forgetting: Path | None = None  # the receipt of one that a kill had cut off
        self.cache = user_folder.cache()

    @classmethod
    def create(cls, folder: Path | str, *, input: str, output: str, name: str | None = None) -> Project:
        """Write a commented tunesmith.yaml into a new or existing folder. Raises InputError when one is there."""
        from tunesmith.project_changes import create

        project = cls(Path(folder))
        create(project, input, output, name)
        return project

    @classmethod
    def open(cls, folder: Path | str | None = None) -> Project:
        """Open a project by its folder or file; without one, search from here upwards."""
        if folder is not None and str(folder) != ".":
            path = Path(folder)
            if path.is_file() and path.name != FILE:
                fix = f"name the folder that holds {FILE}"
                raise InputError("no_project", "this is a file, not a project's folder", str(path), fix)
            project = cls(path.parent if path.name == FILE else path)
        else:
            here = Path.cwd()
            found = [parent for parent in (here, *here.parents) if (parent / FILE).exists()]
            project = cls(found[0] if found else here)
        project.read()
        project._finish_forgetting()
        project._finish_going_back()
        return project

    @property
    def settings(self) -> ProjectSettings:
        return self.read()

    @property
    def name(self) -> str:
        return self.settings.name

    def read(self, overrides: Sequence[str] = ()) -> ProjectSettings:
        """Read the settings as they stand in the file now, with overrides."""
        return project_file.read(self.file, overrides)

    def add(self, paths: Sequence[str], **keys: Any) -> list[SourceLook]:
        """Look at files, then record them as sources in tunesmith.yaml. Faults are raised, nothing written."""
        from tunesmith.project_changes import add

        return add(self, paths, **keys)

    def run(
        self,
        *,
        to: str | None = None,
        overrides: Mapping[str, Any] | Sequence[str] = (),
        from_scratch: bool = False,
        on_event: Sink = ignore,
    ) -> RunResult:
        """Make every stage that is not up to date, up to ``to``, and return the typed results."""
        from tunesmith.pipeline.run import run

        self._finish_forgetting()
        self._take_labels()
        given = [f"{key}={value}" for key, value in overrides.items()] if isinstance(overrides, Mapping) else overrides
        return run(self, lambda: self.read(list(given)), to=to, from_scratch=from_scratch, sink=on_event)

    def status(self) -> list[StageStatus]:
        """Each stage: made, stale (why) or missing."""
        from tunesmith.pipeline.stale import status

        return status(self, self.settings)

    def product(self, stage: str) -> Any:
        """What a stage made last, as its typed product. Raises InputError when it was never made."""
        from tunesmith.pipeline.order import BY_NAME, open_product

        if stage not in BY_NAME:
            raise InputError("unknown_stage", f"there is no stage {stage!r}", fix=f"stages: {', '.join(BY_NAME)}")
        artifact = self.store.latest(stage)
        if artifact is None:
            raise InputError("not_made", f"the stage {stage!r} was not made yet", fix=f"tunesmith run --to {stage}")
        return open_product(BY_NAME[stage], artifact, BY_NAME["test"])

    def decisions(self) -> Decisions:
        """The user's decisions on rows and their rules by reason; of several on one the last."""
        return decisions.read(self.root / decisions.FILE)

    def restore(self, ids: Sequence[str]) -> list[str]:
        """Decide that rows which `clean` took out stay in, by example id or by reason. Returns their ids."""
        from tunesmith.decide import restore

        return restore(self, ids)

    def undo(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Withdraw decisions by example id or by reason: the rule for it, and each row decided when shown for it.

        Returns the ids of the rows and the reasons of the rules. Raises InputError ``nothing_to_undo``.
        """
        from tunesmith.decide import undo

        return undo(self, words)

    def reviewing(self, *, again: bool = False) -> AbstractContextManager[Review]:
        """The rows that `clean` changed, merged, set aside or flagged, to decide on; the project is locked meanwhile.

        Rows that are decided are left out, unless ``again``.
        """
        from tunesmith.review import reviewing

        return reviewing(self, again=again)

    def rating(
        self,
        *,
        reviewer: str | None = None,
        candidates: Sequence[str] | None = None,
        rows: int | None = None,
    ) -> BlindReview:
        """Rows of the last test with two candidates' answers side by side, without their names, to say which is better.

        ``reviewer`` is by default the login's name, ``candidates`` the tuned model and what it is to beat.
        """
        from tunesmith.blind_review import blind_review

        return blind_review(self, reviewer=reviewer, candidates=candidates, rows=rows)

    def inbox(self, person: str | None = None) -> AbstractContextManager[Inbox]:
        """The requests that a server handed to people, to be answered by ``person``, by default the login's name.

        Raises InputError ``nothing_served`` where no server ever ran.
        """
        from tunesmith.inbox import opened

        return opened(self, person)

    def ratings(self) -> Ratings:
        """What people said of answers, and the better answers that they wrote."""
        return ratings.read(self.root / ratings.FILE)

    def _finish_forgetting(self) -> None:
        """Finish a forgetting that a kill had cut off."""
        if (self.root / FOLDER / PENDING).exists():
            from tunesmith.forget.carry_out import finish_after_a_kill

            self.finished_forgetting = finish_after_a_kill(self.root, self.store)

    def forgetting(self, what: Sequence[str]) -> AbstractContextManager[Plan]:
        """Look for rows by example id or by a text in them, and for all that holds them, while the project is locked.

        ``carry_out`` of the plan removes them for good.
        """
        from tunesmith.forget.plan import planning

        return planning(self, what)

    def _finish_going_back(self) -> None:
        """Finish going back to a round, which a kill had cut off."""
        if (self.store.root / PENDING_ROUND).exists():
            from tunesmith.rounds.switch import finish_after_a_kill

            finish_after_a_kill(self)

    def _take_labels(self) -> None:
        """Take the rows that the user has labelled since; of processes launched together the first does."""
        if (self.root / "improve").is_dir() and not follows():
            from tunesmith.accept import take_labels

            take_labels(self)

    def rounds(self) -> list[ShownRound]:
        """All rounds on the same test rows: what each scores there, what changed and what it brought."""
        from tunesmith.rounds.compare import show_rounds

        return show_rounds(self)

    def compare_rounds(self, left: int, right: int) -> Comparison:
        """The test rows that changed from one round to another, for better and for worse."""
        from tunesmith.rounds.compare import compare

        return compare(self, left, right)

    def use_round(self, number: int) -> Path:
        """Make a round the version in use: its settings, decisions and artifacts. Returns the backup's folder."""
        from tunesmith.rounds.switch import use

        return use(self, number)

    def reject_round(self) -> tuple[int, int, Path]:
        """Go back to the round in use, or the one before. Returns both numbers and the backup's folder."""
        from tunesmith.rounds.switch import reject

        return reject(self)

    def accept(self, items: Sequence[str] = ()) -> Accepted:
        """Accept items of the last proposal by id, or all; a row of one as ITEM/ROW."""
        from tunesmith.accept import accept

        return accept(self, items)

    def reject(self, items: Sequence[str] = ()) -> list[str]:
        """Note that items of the last proposal were rejected. Returns those that were open."""
        from tunesmith.accept import reject

        return reject(self, items)

    def fix(self, codes: Sequence[str]) -> list[str]:
        """Add fixes to `clean.fix` in tunesmith.yaml. Returns all that are there now."""
        from tunesmith.project_changes import fix

        return fix(self, codes)

    def allow_code(self) -> list[str]:
        """Allow this user's runs to call the Python functions that the goal's rules name, until their files change.

        Returns them, such as checks.py:polite. Code of a project that you did not write can do all that you can.
        """
        from tunesmith.allowed_code import allow, read

        places = [rule.python for rule in self.settings.goal.rules if rule.python]
        for source in [read(self.root, place, "goal.rules") for place in places]:
            allow(source)
        return places

    def write_goal(self, found: Inferred) -> str:
        """Write labels or a schema that were read from the data into the user's files. Returns the file's name."""
        from tunesmith.project_changes import write_goal

        return write_goal(self, found)

    def write_settings(self, values: Mapping[str, Any]) -> None:
        """Write settings by their keys (`train.epochs`) into tunesmith.yaml; what they mean is checked first."""
        from tunesmith.project_changes import write_settings

        write_settings(self, values)

    def forecast_more_data(self, **given: Any) -> MoreData:
        """What more examples are worth: see `trials.run.forecast_more_data` for what can be given."""
        from tunesmith.trials.run import forecast_more_data

        return forecast_more_data(self, **given)

    def try_bases(self, names: Sequence[str], **given: Any) -> BasesCompared:
        """Other bases beside the project's own: see `trials.run.try_bases` for what can be given."""
        from tunesmith.trials.run import try_bases

        return try_bases(self, names, **given)

    def search_settings(self, keys: Sequence[str], **given: Any) -> Searched:
        """Other settings of `train` beside the project's own: see `trials.run.search_settings`."""
        from tunesmith.trials.run import search_settings

        return search_settings(self, keys, **given)

    def ask(self, text: str) -> list[Answer]:
        """What the base, the tuned model and, where it is neither, the set-up in use answer."""
        from tunesmith.ask import ask

        return ask(self, text)

    def use(self, arm: str) -> str:
        """Choose the set-up that `ask` and `serve` use: an arm of `advise`, or auto. Returns it in words.

        Raises InputError ``set_up_not_measured`` for an arm that was not measured.
        """
        from tunesmith.setup_in_use import use

        return use(self, arm)

    def export(
        self,
        to: str,
        *,
        precision: str | None = None,
        out: Path | str | None = None,
        rows: int | None = None,
        tell: Tell = lambda what, done, total: None,
    ) -> Exported:
        """Write the trained model as ``to`` (gguf, ollama, hf, vllm, onnx), proven to answer as it did here.

        ``out``: the folder, else exports/FORM in the project. ``rows``: how many test rows are replayed. Raises
        TunesmithError ``export_refused`` for a form that does not keep to the bounds of ``export`` in the settings.
        """
        from tunesmith.exporting import export_as

        return export_as(
            self, to, precision=precision, out=None if out is None else Path(out).resolve(), rows=rows, tell=tell
        )

    def shrink(self, *, rows: int | None = None, tell: Tell = lambda what, done, total: None) -> list[Tried]:
        """Export the trained model in each of its smaller forms, the largest first; see `export`."""
        from tunesmith.exporting import shrink_project

        return shrink_project(self, rows=rows, tell=tell)

    def deploy(
        self,
        version: str | None = None,
        *,
        round: int | None = None,
        canary: float | None = None,
        shadow: bool = False,
        name: str | None = None,
        engine: EngineName = "auto",
        precision: str = "f16",
        tell: Tell = lambda what, done, total: None,
    ) -> Deployed:
        """Let a version answer: what `serve` would take, that of a ``round``, or one deployed before (``@3f2a``).

        A server that runs starts it beside the one before, checks it and switches; without one the next start does.
        With ``canary`` (a share of the requests, such as 0.1) or ``shadow`` it is tried first, with ``name`` it is
        given a name of its own. Raises TunesmithError ``deploy_refused`` where it does not answer as its certificate
        says, and ``export_refused``.
        """
        from tunesmith.deploying import Wish, deploy, worked

        wish = Wish(version, round, canary, shadow, name, engine, precision)
        return worked(deploy(self, wish, tell=tell), str(self.root))

    def promote(self) -> Deployed:
        """Let the version that is tried, as canary or in the shadow, answer all."""
        from tunesmith.deploying import promote, worked

        return worked(promote(self), str(self.root))

    def rollback(self) -> Deployed:
        """Let the version before answer again, or end what is tried. Raises InputError ``nothing_to_roll_back``."""
        from tunesmith.deploying import rollback, worked

        return worked(rollback(self), str(self.root))

    def deployment(self) -> Deployment:
        """The versions at work, the names that lead to them, what is tried, and what happened."""
        from tunesmith.deployed import deployment

        return deployment(self)

    def watch(self, hours: float = 24.0) -> Watch:
        """The traffic of the served model in the last hours. Raises InputError ``nothing_served``."""
        from tunesmith.watching import watch

        return watch(self, hours)

    def drift(self) -> list[Drift]:
        """The last requests of each version held against its training, the version that answered last first.

        Raises InputError ``nothing_served``.
        """
        from tunesmith.watching import drift

        return drift(self)

    def show_rows(self, count: int) -> list[ShownRow]:
        """The first rows of the data set as the model sees them."""
        from tunesmith.shown_rows import show_rows

        return show_rows(self, count)

    def show_batch(self, overrides: Sequence[str] = ()) -> ShownBatch:
        """The rows of the first training step as they are computed: what they share is shown once."""
        from tunesmith.shown_batch import show_batch

        return show_batch(self, overrides)

    def refetch_base(self) -> None:
        """Throw the cached base away and fetch it again."""
        from tunesmith.stages.base.run import refetch

        name = self.product("base").name if self.store.latest("base") else self.settings.base.model
        refetch(name, self.cache, project=self.root)
