"""All that the report says, gathered before it is written as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from tunesmith.example import Score
from tunesmith.products import BaseModel, CleanSet, Collection, Dataset, GoalSheet, Splits, TunedModel
from tunesmith.scoring.calibration import Bin
from tunesmith.scoring.paired import Difference
from tunesmith.stages.context import Context
from tunesmith.stages.test import report_facts, set_aside
from tunesmith.stages.test.answers import ENFORCED, TUNED
from tunesmith.stages.test.charts import Series
from tunesmith.stages.test.confidence import bins_of
from tunesmith.stages.test.field_confidence import FieldDiagram, diagrams_of
from tunesmith.stages.test.hardest import HardExample, hardest_examples
from tunesmith.stages.test.in_use import BesideInUse
from tunesmith.stages.test.mix_ups import MixUp
from tunesmith.stages.test.raccoon.measure import Suite
from tunesmith.stages.test.report_raccoon import RaccoonSection, raccoon_section
from tunesmith.stages.test.report_rounds import RoundsSoFar
from tunesmith.stages.test.rivals import Rival
from tunesmith.stages.test.scored import Scored
from tunesmith.stages.test.set_aside import Group
from tunesmith.stages.test.side_by_side import WorstRow

Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class MetricRow:
    """One metric of the tuned model and its rival, with their difference where it was measured."""

    metric: str
    rival: Score
    tuned: Score
    difference: Difference | None
    at_least: float | None

    @property
    def is_field(self) -> bool:
        return self.metric.startswith("field_f1.")


@dataclass(frozen=True)
class ScoreTable:
    """The metrics of one pair of candidates."""

    title: str
    rows: Sequence[MetricRow]


@dataclass(frozen=True)
class ReportData:
    name: str
    made_on: str
    output: str
    base_name: str
    rival: Rival
    texts: bool
    rows: int
    verdict: Mapping[str, Any]
    hand_off: str
    calibration: str
    bins: Sequence[Bin]
    field_diagrams: Sequence[FieldDiagram]
    in_use: BesideInUse | None
    rounds: RoundsSoFar | None
    slices: Sequence[tuple[str, ...]]
    slices_words: str
    primary: MetricRow
    tables: Sequence[ScoreTable]
    cut: Mapping[str, int]
    curves: Sequence[Series]
    counted: str
    accuracy_curves: Sequence[Series]
    best_step: float | None
    training: Mapping[str, Any]
    recipe_words: str
    hardest: Sequence[HardExample]
    groups: Sequence[tuple[str, ...]]
    forgetting: str
    worst: Sequence[WorstRow]
    wrong: int
    row_metric: str
    mix_ups: Sequence[MixUp]
    set_aside: Sequence[Group]
    sources: Sequence[Mapping[str, Any]]
    data: Rows
    leak_note: str
    base: Rows
    recipe: Rows
    versions: Rows
    time_and_memory: Rows
    unchecked: Sequence[str]
    commands: Rows
    model_folder: str
    opinions: Mapping[str, Any]
    raccoon: RaccoonSection | None = None


@dataclass(frozen=True)
class Measured:
    """What the stage found out, for the report."""

    scored: Mapping[str, Scored]
    differences: Sequence[Difference]
    verdict: Mapping[str, Any]
    facts: Mapping[str, Any]
    worst: Sequence[WorstRow]
    mix_ups: Sequence[MixUp]
    rival: Rival
    seconds: float
    in_use: BesideInUse | None = None
    suite: Suite | None = None
    rounds: RoundsSoFar | None = None


def gather(inputs: Mapping[str, Any], measured: Measured, context: Context) -> ReportData:
    """Put together what the report says, from the stages' products and the measurements."""
    goal: GoalSheet = inputs["goal"]
    base: BaseModel = inputs["base"]
    collection: Collection = inputs["collect"]
    clean: CleanSet = inputs["clean"]
    dataset: Dataset = inputs["format"]
    split: Splits = inputs["split"]
    tuned: TunedModel = inputs["train"]
    tables = score_tables(goal, measured)
    folder = shown_folder(tuned.folder, context.project)
    hand_off = measured.facts["hand_off"]
    by_row = measured.scored[TUNED].by_row
    return ReportData(
        name=str(context.facts.get("name") or context.project.name or "Tunesmith"),
        made_on=str(context.facts.get("made_on") or ""),
        output=goal.output,
        base_name=made_from(base),
        rival=measured.rival,
        texts=bool(measured.facts.get("texts")),
        rows=measured.facts["rows"],
        verdict=measured.verdict,
        hand_off=hand_off["words"] if hand_off else "",
        calibration=(measured.facts["calibration"] or {}).get("words", ""),
        bins=bins_of(measured.facts["calibration"]),
        field_diagrams=diagrams_of(measured.facts["calibration"]),
        in_use=measured.in_use,
        rounds=measured.rounds,
        slices=report_facts.slices(measured.facts["slices"]["found"], measured.facts["row_metric"]),
        slices_words=measured.facts["slices"]["words"],
        primary=next(row for row in tables[0].rows if row.metric == measured.facts["primary"]),
        tables=tables,
        cut={name: count for name, count in measured.facts["cut"].items() if count},
        curves=curves(tuned.curve, {"train_loss": "training", "validation_loss": "validation"}),
        counted=counted(goal, tuned),
        accuracy_curves=curves(tuned.curve, {"train_accuracy": "training", "validation_accuracy": "validation"}),
        best_step=tuned.facts.get("best_step"),
        training=tuned.verdict,
        recipe_words=str(tuned.recipe.get("words") or ""),
        hardest=hardest_examples(tuned, clean),
        groups=report_facts.groups(tuned),
        forgetting=" ".join(filter(None, [tuned.forgetting.words, tuned.forgetting.advice]))
        if tuned.forgetting
        else "",
        worst=measured.worst,
        wrong=int((by_row < 1).sum()),
        row_metric=measured.facts["row_metric"],
        mix_ups=measured.mix_ups,
        set_aside=set_aside.groups(collection, clean, dataset, split),
        sources=collection.sources,
        data=report_facts.data(collection, clean, dataset, split, measured.facts["not_asked"]),
        leak_note=report_facts.leak_note(split),
        base=report_facts.base(base),
        recipe=report_facts.recipe(tuned),
        versions=report_facts.versions(),
        time_and_memory=report_facts.time_and_memory(context, tuned, measured.seconds, measured.facts),
        unchecked=report_facts.unchecked(goal, tuned, texts=bool(measured.facts.get("texts"))),
        commands=report_facts.commands(measured.verdict["decision"], alone=base.from_scratch),
        model_folder=folder,
        opinions=measured.facts["opinions"],
        raccoon=raccoon_section(measured.suite, measured.facts),
    )


def score_tables(goal: GoalSheet, measured: Measured) -> list[ScoreTable]:
    """The rival beside tuned; and once more with the schema enforced, where that was measured."""
    found = []
    plain = "Greedy answers" if not measured.facts.get("texts") else "Texts"
    for suffix, title in (("", plain), (ENFORCED, "With the schema enforced while decoding")):
        ours, theirs = measured.scored.get(TUNED + suffix), measured.scored.get(measured.rival.name + suffix)
        if ours is None or theirs is None:
            continue
        asked = {criterion.metric: criterion.at_least for criterion in goal.success} if not suffix else {}
        rows = []
        for score in ours.scores:
            named = (score.metric, TUNED + suffix, measured.rival.name + suffix)
            difference = next((one for one in measured.differences if (one.metric, one.left, one.right) == named), None)
            rows.append(MetricRow(score.metric, theirs.score(score.metric), score, difference, asked.get(score.metric)))
        found.append(ScoreTable(title, rows))
    return found


def counted(goal: GoalSheet, tuned: TunedModel) -> str:
    """What training's accuracy is a share of."""
    if tuned.recipe.get("objective") == "dpo":
        return "pairs whose chosen answer gained more"
    return "labels" if tuned.learner == "classifier" else "tokens"


def made_from(base: BaseModel) -> str:
    """What the model was made from, in words."""
    return f"{base.parameters:,} parameters from scratch" if base.from_scratch else f"{base.name}, tuned"


def curves(curve: Sequence[Mapping[str, Any]], wanted: Mapping[str, str]) -> list[Series]:
    """The measurements of a training run as series, by name; what is not finite is left out."""
    found = []
    for key, kind in wanted.items():
        points = [(float(entry["step"]), float(entry[key])) for entry in curve if key in entry and isfinite(entry[key])]
        if points:
            found.append(Series("train" if key.startswith("train") else "validation", kind, tuple(points)))
    return found


def shown_folder(folder: Path, project: Path) -> str:
    """The folder as seen from the project, where it lies inside."""
    return str(folder.relative_to(project)) if folder.is_relative_to(project) else str(folder)
