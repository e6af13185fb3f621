"""Which base: each is trained on the same rows by the same trial, and compared with the project's own in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from tunesmith.artifact import make_folder, write_json
from tunesmith.errors import InputError
from tunesmith.events import duration
from tunesmith.example import Score
from tunesmith.products import BaseModel
from tunesmith.scoring.intervals import score
from tunesmith.scoring.measure import ROW_METRIC
from tunesmith.scoring.paired import Difference, difference
from tunesmith.scoring.several import holm
from tunesmith.stages.base.run import had
from tunesmith.trials.budget import Budget
from tunesmith.trials.more_data import FEWEST_ROWS
from tunesmith.trials.rows import FEWEST_MEASURED, Material, Prepared
from tunesmith.trials.trial import Outcome, Trial, carry_out, find

#: Bases are tried on a part of the rows first, so that every one of them is seen before time is up.
FIRST_PART = 4
RESAMPLES = 5000
RESULT = "bases.json"


@dataclass(frozen=True)
class BaseTried:
    """One base: its score after training on ``rows`` rows, what it took, and how it does against the project's own.

    ``refused``: rows that it cannot be shown. ``against``: None for the project's own base; its ``p`` is corrected for
    the number of bases.
    """

    name: str
    parameters: int
    licence: str
    rows: int
    score: Score
    seconds: float
    peak_bytes: int
    refused: int
    against: Difference | None


@dataclass(frozen=True)
class BasesCompared:
    """The bases, the best score first; ``yours`` is the project's; ``better``: the best that is shown to beat it."""

    metric: str
    yours: str
    rows: int
    tried: tuple[BaseTried, ...]
    not_tried: tuple[str, ...]
    better: str | None
    words: str


def compare_bases(prepared: Prepared, names: Sequence[str], budget: Budget) -> BasesCompared:
    """Train the project's own base and each that is named, on a quarter of the rows first and then on all of them.

    They are compared on the largest part that all of them were trained on within the budget. Raises InputError
    for an unknown base, one that cannot do the task or be had, and where there is no time for two.
    """
    materials = _materials(prepared, names)
    own = prepared.material.base.name
    whole = min(len(material.train) for material in materials.values())
    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in materials}
    for size in sorted({max(FEWEST_ROWS, whole // FIRST_PART), whole}):
        _train_all(prepared, materials, size, outcomes, budget)
    reached = {name: found for name, found in outcomes.items() if found}
    if own not in reached or len(reached) < 2:
        raise InputError(
            "too_little_time",
            f"in {budget.minutes:g} min fewer than two bases could be trained",
            "--minutes",
            "give more minutes: what was made is kept, and it goes on from there",
        )
    common = max(set.intersection(*(set(found) for found in reached.values())))
    at_common = {name: found[common] for name, found in reached.items()}
    result = _compared(prepared, materials, at_common, common)
    missing = tuple(name for name in materials if name not in reached)
    result = replace(result, not_tried=missing)
    make_folder(prepared.folder)
    write_json(prepared.folder / RESULT, asdict(result))
    return result


def _materials(prepared: Prepared, names: Sequence[str]) -> dict[str, Material]:
    """Each base with the rows as it sees them; all are measured on the rows that every one of them can be shown."""
    found = {prepared.material.base.name: prepared.material}
    for name in names:
        if name == "scratch":
            raise InputError(
                "base_cannot_do_this",
                "a model from scratch has another tokenizer for every project, and cannot be tried beside others",
                "--bases",
                "set base.model: scratch in a copy of the project, and compare the tests",
            )
        base: BaseModel = had(name, prepared.cache, prepared.root, prepared.sink)
        if base.name not in found:
            found[base.name] = prepared.with_base(base)
    if len(found) < 2:
        raise InputError(
            "one_base", "there is nothing to compare: only the project's own base is named", "--bases", "name another"
        )
    shared = set.intersection(*({one.id for one in material.measured} for material in found.values()))
    if len(shared) < FEWEST_MEASURED:
        raise InputError(
            "too_few_to_measure",
            f"only {len(shared)} validation rows can be shown to all of these bases",
            "--bases",
            "leave out the base with the shortest context",
        )
    return {
        name: replace(material, measured=tuple(one for one in material.measured if one.id in shared))
        for name, material in found.items()
    }


def _train_all(
    prepared: Prepared,
    materials: Mapping[str, Material],
    size: int,
    outcomes: dict[str, dict[int, Outcome]],
    budget: Budget,
) -> None:
    """Train each base on ``size`` rows as far as the budget allows, the project's own first."""
    for name, material in materials.items():
        step = max(1, len(material.train) // size)
        rows = material.train[::step][:size]  # evenly spread: the split has its own order
        trial = Trial(material, rows, prepared.settings, prepared.seed)
        if find(prepared, trial) is None and not budget.allows(trial):
            prepared.note(f"{name} is not trained on {len(rows):,} rows: no time is left for it")
            continue
        outcome = carry_out(prepared, trial)
        budget.learn(trial, outcome)
        outcomes[name][size] = outcome
        took = "made before" if outcome.cached else duration(outcome.seconds)
        prepared.note(f"{name}, {len(rows):,} rows: {outcome.scores.mean():.1%} ({took})")


def _compared(
    prepared: Prepared, materials: Mapping[str, Material], outcomes: Mapping[str, Outcome], rows: int
) -> BasesCompared:
    metric = ROW_METRIC[prepared.material.goal.output]
    own = prepared.material.base.name
    yours = outcomes[own].statistic
    draw = {"resamples": RESAMPLES, "seed": prepared.seed}
    others = [name for name in outcomes if name != own]
    found = [difference(metric, (name, outcomes[name].statistic), (own, yours), **draw) for name in others]
    corrected = holm([one.p for one in found])
    against = {one.left: replace(one, p=p) for one, p in zip(found, corrected, strict=True)}
    tried = [
        BaseTried(
            name,
            materials[name].base.parameters,
            materials[name].base.licence,
            outcome.rows,
            score(metric, outcome.statistic, **draw),
            outcome.seconds,
            outcome.peak_bytes,
            materials[name].refused,
            against.get(name),
        )
        for name, outcome in outcomes.items()
    ]
    tried.sort(key=lambda one: -one.score.value)
    shown = [one for one in tried if one.against and one.against.shown == "better"]
    better = shown[0].name if shown else None
    return BasesCompared(metric, own, rows, tuple(tried), (), better, _words(tried, own, shown))


def _words(tried: Sequence[BaseTried], own: str, shown: Sequence[BaseTried]) -> str:
    if not shown:
        first = tried[0]
        if first.against is None:
            return f"None is shown to be better than your base: {own} has the best score itself."
        found = first.against
        return (
            f"None is shown to be better than your base {own}: the best, {first.name}, differs by "
            f"{100 * found.value:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f}, n = {found.n:,})."
        )
    best = shown[0]
    assert best.against is not None
    return (
        f"{best.name} is shown to be better than your base {own}: {100 * best.against.value:+.1f} points "
        f"({100 * best.against.low:+.1f} to {100 * best.against.high:+.1f}, n = {best.against.n:,}, "
        f"p = {best.against.p:.2g} after correction)."
    )
