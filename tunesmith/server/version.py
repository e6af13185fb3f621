"""Which version of a project's model is served, with what it was trained and tested with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tunesmith.answering.limit import limit_for
from tunesmith.answering.setups import Setup, in_words
from tunesmith.artifact import MANIFEST, Artifact, hash_of, read_json
from tunesmith.base_folder import verify
from tunesmith.deployment.versions import SHOWN, Record
from tunesmith.errors import InputError
from tunesmith.pipeline import rounds
from tunesmith.pipeline.order import BY_NAME, Stage
from tunesmith.pipeline.stale import identity
from tunesmith.pipeline.tested import last_test, verdict_of
from tunesmith.products import BaseModel, Dataset, GoalSheet, Report, TunedModel
from tunesmith.project import Project
from tunesmith.setup_in_use import chosen

IN_USE = "in_use.json"


@dataclass(frozen=True)
class Version:
    """One model, never changed: ``name`` is the project's, ``id`` that of the training, or of how the model is asked.

    ``shown``: the beginning of the id that it goes by, "" for as much as usual. ``artifacts``: the ids of what it is
    made of, by stage. ``tuned`` is None where the advice was that the base is enough. ``max_new_tokens``: the longest
    answer that the test let it give. ``tested``: the words of its verdict, None where it was not tested. ``setup``: how
    it is asked, None for the goal's prompt alone.
    """

    name: str
    id: str
    goal: GoalSheet
    base: BaseModel
    tuned: TunedModel | None
    max_new_tokens: int
    documents: bool
    made_at: float
    tested: str | None
    setup: Setup | None = None
    shown: str = ""
    artifacts: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.name}@{self.shown or self.id[:SHOWN]}"

    @property
    def made_of(self) -> dict[str, Any]:
        """What is recorded of it: enough to have it again."""
        return {
            "artifacts": dict(self.artifacts),
            "setup": self.setup.as_json() if self.setup else None,
            "max_new_tokens": self.max_new_tokens,
            "documents": self.documents,
            "made_at": self.made_at,
            "tested": self.tested,
        }

    def answers_to(self, asked: str) -> bool:
        """Whether a client that asks for this model means this version: by its name, or by name and id."""
        name, at, id = asked.partition("@")
        return name == self.name and (not at or (len(id) >= SHOWN and self.id.startswith(id)))


def version_of(project: Project, train: Artifact | None = None) -> Version:
    """The version in use, else what was advised or chosen, else the model that was trained last; or a training's.

    Raises InputError when there is none.
    """
    setup = None if train is not None or (project.store.root / IN_USE).exists() else chosen(project)
    if setup is not None and setup.model == "base":
        return _untrained(project, setup)
    train = train or _trained(project)
    made = train.made_by.get("inputs", {})
    needs = BY_NAME["train"]
    found = {stage: _made_with(project, stage, made, needs) for stage in needs.needs}
    goal, base, dataset = (GoalSheet.open(found["goal"]), BaseModel.open(found["base"]), Dataset.open(found["format"]))
    verify(base.folder)
    limit, tested = _as_tested(project, train, dataset, base)
    tuned = TunedModel.open(train)
    artifacts = {**{stage: one.id for stage, one in found.items()}, "train": train.id}
    whole = Version(
        project.name,
        train.id,
        goal,
        base,
        tuned,
        limit,
        _is_of_texts(dataset),
        _made_at(train),
        tested,
        artifacts=artifacts,
    )
    if setup is None or setup.is_plain:
        return whole
    id = hash_of([train.id, setup.as_json()])
    return replace(
        whole, id=id, tested=in_words(setup), setup=setup, artifacts=artifacts | _latest(project, "advise", "clean")
    )


def _latest(project: Project, *stages: str) -> dict[str, str]:
    """What a set-up is equipped with besides: examples that `advise` chose among, of the rows that it saw."""
    found = {stage: project.store.latest(stage) for stage in stages}
    return {stage: one.id for stage, one in found.items() if one is not None}


def recorded(project: Project, record: Record) -> Version:
    """A version as it was recorded. Raises InputError ``version_gone`` where a part of it is not there any more."""
    made_of = record.made_of
    ids = made_of["artifacts"]

    def part(stage: str) -> Artifact:
        artifact = project.store.find(stage, ids.get(stage, ""))
        if artifact is None:
            what = f"what the stage {stage!r} made for the version @{record.shown} is not there any more"
            raise InputError("version_gone", what, str(project.store.artifacts), "deploy another version")
        return artifact

    base = BaseModel.open(part("base"))
    verify(base.folder)
    return Version(
        project.name,
        record.id,
        GoalSheet.open(part("goal")),
        base,
        TunedModel.open(part("train")) if "train" in ids else None,
        int(made_of["max_new_tokens"]),
        bool(made_of["documents"]),
        float(made_of["made_at"]),
        verdict_of(project.store, made_of),
        Setup.from_json(made_of["setup"]) if made_of["setup"] else None,
        record.shown,
        ids,
    )


def of_round(project: Project, number: int) -> Version:
    """The model of a round, asked by its goal's prompt. Raises InputError ``no_such_round`` or ``round_gone``."""
    known = rounds.read(project.store).get(number)
    train = project.store.find("train", known.artifacts.get("train", ""))
    if train is None:
        what = f"the training of round {number} is gone or damaged"
        raise InputError("round_gone", what, str(project.store.artifacts), "`tunesmith rounds` shows what is there")
    return version_of(project, train)


def _untrained(project: Project, setup: Setup) -> Version:
    """The base as it is asked by the set-up: there may be nothing trained."""
    goal, base, dataset = (project.product(stage) for stage in ("goal", "base", "format"))
    verify(base.folder)
    id = hash_of([base.sha256, goal.system, setup.as_json()])
    made_at = _made_at(project.store.latest("advise") or project.store.latest("base"))
    limit, of_texts = _limit({}, dataset, base), _is_of_texts(dataset)
    artifacts = _latest(project, "goal", "base", "format", "clean", "advise")
    told = in_words(setup)
    return Version(project.name, id, goal, base, None, limit, of_texts, made_at, told, setup, artifacts=artifacts)


def _is_of_texts(dataset: Dataset) -> bool:
    rows = int(dataset.counts["rows"])
    return rows > 0 and dataset.facts.get("documents", 0) == rows


def _made_at(artifact: Artifact | None) -> float:
    return float(read_json(artifact.path / MANIFEST)["made_at"]) if artifact else 0.0


def _trained(project: Project) -> Artifact:
    path = project.store.root / IN_USE
    if path.exists():
        named = read_json(path)
        found = project.store.find("train", str(named.get("train"))) if isinstance(named, dict) else None
        if found is None:
            what = "the version in use names a training that is not there any more"
            raise InputError("version_gone", what, str(path), "`tunesmith rounds` lists those that are; use another")
        return found
    found = project.store.latest("train")
    if found is None:
        raise InputError("not_made", "nothing was trained yet, so there is nothing to serve", fix="tunesmith run")
    return found


def _made_with(project: Project, stage: str, made: Mapping[str, Any], reader: Stage) -> Artifact:
    """The artifact of a stage that the training saw: the latest where it is the same, else one of the earlier ones."""
    latest = project.store.latest(stage)
    ids = sorted(folder.name.removeprefix(f"{stage}-") for folder in project.store.artifacts.glob(f"{stage}-*"))
    others = (project.store.find(stage, id) for id in ids)
    for artifact in (latest, *others):
        if artifact is not None and identity(stage, artifact, reader) == made.get(stage):
            return artifact
    raise InputError(
        "version_gone",
        f"what the stage {stage!r} made for this training is not there any more",
        str(project.store.artifacts),
        "`tunesmith run` makes all of it again",
    )


def _as_tested(project: Project, train: Artifact, dataset: Dataset, base: BaseModel) -> tuple[int, str | None]:
    """The longest answer in tokens and the verdict's words, from the last test of this training."""
    test = last_test(project.store, train.id)
    if test is not None:
        report = Report.open(test)
        limit = report.facts.get("max_new_tokens")
        words = str(report.verdict.get("words", ""))
        return int(limit or _limit(test.made_by, dataset, base)), words
    return _limit({}, dataset, base), None


def _limit(made_by: Mapping[str, Any], dataset: Dataset, base: BaseModel) -> int:
    """As the test does: what the settings say, or half as long again as the longest answer that was trained on."""
    wanted = made_by.get("settings", {}).get("max_new_tokens")
    return limit_for(dataset.rows(), base.context, int(wanted) if wanted else None)
