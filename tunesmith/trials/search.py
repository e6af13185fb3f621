"""Which settings: Optuna's search, by successive halving over parts of the rows, under a budget of time.

The validation part is halved: one half chooses among the settings, and the other, which had no say, judges the best
beside the project's own. The best of many is best by luck too, and only rows that did not choose it show how much.

TPE proposes settings (J. Bergstra et al., "Algorithms for hyper-parameter optimization", NIPS 2011); each is trained on
a part of the rows, and on more only while it is among the best third so far (asynchronous successive halving: L. Li
et al., "A system for massively parallel hyperparameter tuning", MLSys 2020). What was tried lies in a journal of JSON
lines, and a search that was stopped goes on from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunesmith.artifact import hash_of, make_folder, write_json
from tunesmith.errors import InputError, MissingExtra
from tunesmith.events import duration
from tunesmith.example import Score
from tunesmith.scoring.intervals import score
from tunesmith.scoring.measure import ROW_METRIC
from tunesmith.scoring.paired import Difference, difference
from tunesmith.scoring.statistic import FloatArray, IntArray, Mean
from tunesmith.training.recipe import choose
from tunesmith.trials import space
from tunesmith.trials.budget import Budget
from tunesmith.trials.more_data import FEWEST_ROWS
from tunesmith.trials.rows import FEWEST_MEASURED, Prepared
from tunesmith.trials.trial import Outcome, Trial, carry_out, find

if TYPE_CHECKING:
    import optuna

#: A part has so many times the rows of the one before; a third goes on from each.
REDUCTION = 3
PARTS = 3
#: Settings that are tried at most, and by chance before TPE has something to go by.
MOST, BY_CHANCE = 60, 6
RESAMPLES = 5000
RESULT = "search.json"


@dataclass(frozen=True)
class Tried:
    """One set of ``values``: the rows that it was trained on last, and its score then on the half that chooses."""

    number: int
    values: dict[str, Any]
    rows: int
    score: float
    stopped: bool


@dataclass(frozen=True)
class Searched:
    """``best``: the values with the best score on all rows by the half that chooses; None where these are the project's
    own. ``yours_score`` and ``best_score`` are by the half that judges, and ``against`` compares them in pairs."""

    metric: str
    keys: tuple[str, ...]
    tried: tuple[Tried, ...]
    yours: dict[str, Any]
    best: dict[str, Any] | None
    yours_score: Score
    best_score: Score | None
    against: Difference | None
    words: str

    @property
    def better(self) -> bool:
        """Whether the best is shown to be better than the project's own settings."""
        return self.against is not None and self.against.shown == "better"


def search(prepared: Prepared, keys: Sequence[str], budget: Budget) -> Searched:
    """Try settings until the budget is spent, and judge the best of them.

    The project's own are tried first, on all rows. Raises InputError for keys that cannot be searched, too few
    validation rows to halve, or too little time for the project's own; MissingExtra without Optuna.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "search") from error
    material = prepared.material
    fresh = material.base.parameters if material.base.from_scratch else None
    recipe = choose(prepared.settings, material.learner.name, material.train, prepared.seed, fresh)
    space.check(keys, recipe)
    choosing, judging = halves(len(material.measured), prepared.seed)
    if len(judging) < FEWEST_MEASURED:
        raise InputError(
            "too_few_to_measure",
            f"a half of the {len(material.measured)} validation rows is to judge what the other half chose, and "
            f"{FEWEST_MEASURED} rows are needed in each",
            "split",
            "give more examples, or a larger split.validation",
        )
    yours = {key: getattr(recipe, key) for key in keys}
    own = _trial(prepared, {}, len(material.train))
    outcome = _first(prepared, own, budget)
    study = _study(optuna, prepared, keys, own, recipe)
    _go_on(study)
    tried = [Tried(-1, yours, outcome.rows, float(outcome.scores[choosing].mean()), False)]
    finished: dict[int, Outcome] = {}
    ended = _try_all(optuna, study, prepared, space.distributions(keys, recipe), choosing, budget, finished)
    tried += ended
    found = _judged(prepared, keys, tried, yours, outcome, finished, judging)
    make_folder(prepared.folder)
    write_json(prepared.folder / RESULT, asdict(found))
    return found


def halves(rows: int, seed: int) -> tuple[IntArray, IntArray]:
    """The places of the rows that choose, and of those that judge."""
    order = np.random.default_rng([seed, 7]).permutation(rows)
    return np.sort(order[: rows // 2]), np.sort(order[rows // 2 :])


def parts(rows: int) -> list[int]:
    """How many rows each step of the halving trains on, the smallest first; the last is all of them."""
    found = [rows // REDUCTION**step for step in range(PARTS)][::-1]
    return [size for size in found if size >= FEWEST_ROWS] or [rows]


def _trial(prepared: Prepared, values: dict[str, Any], size: int) -> Trial:
    material = prepared.material
    order = np.random.default_rng([prepared.seed, 0]).permutation(len(material.train))
    rows = tuple(material.train[place] for place in sorted(order[:size].tolist()))
    return Trial(material, rows, space.settings_with(prepared.settings, values), prepared.seed)


def _first(prepared: Prepared, own: Trial, budget: Budget) -> Outcome:
    if find(prepared, own) is None and not budget.allows(own):
        raise InputError("too_little_time", "there is no time for a single training", "--minutes", "give more minutes")
    outcome = carry_out(prepared, own)
    budget.learn(own, outcome)
    took = "made before" if outcome.cached else duration(outcome.seconds)
    prepared.note(f"your settings: {outcome.scores.mean():.1%} ({took})")
    return outcome


def _study(optuna: Any, prepared: Prepared, keys: Sequence[str], own: Trial, recipe: Any) -> optuna.Study:
    """The study of this search: the one that a search of the same keys on the same rows began, or a new one."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    make_folder(prepared.folder)
    name = f"search-{hash_of([own.id, sorted(keys), recipe.learning_rate, recipe.epochs])}"
    storage = JournalStorage(JournalFileBackend(str(prepared.folder / f"{name}.jsonl")))
    study: optuna.Study = optuna.create_study(
        storage=storage,
        study_name=name,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
    )
    # a search that goes on must not propose again what it began with
    seed = prepared.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=BY_CHANCE)
    return study


def _go_on(study: optuna.Study) -> None:
    """Begin again what a kill cut off: its trainings are cached, or go on from their checkpoints."""
    from optuna.trial import TrialState

    for left in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(left.number, state=TrialState.FAIL)
        if left.params:
            study.enqueue_trial(left.params)


def _try_all(
    optuna: Any,
    study: optuna.Study,
    prepared: Prepared,
    ranges: dict[str, Any],
    choosing: IntArray,
    budget: Budget,
    finished: dict[int, Outcome],
) -> list[Tried]:
    """Try one set of values after the other; those of an earlier search first, from the cache."""
    from optuna.trial import TrialState

    sizes = parts(len(prepared.material.train))
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    found = _earlier(prepared, study, ended, sizes, choosing, finished)
    while len(found) < MOST and budget.allows(_trial(prepared, {}, sizes[0])):
        asked = study.ask(ranges)
        one = _try(optuna, study, asked, prepared, sizes, choosing, budget, finished)
        if one is None:
            break
        found.append(one)
        state = "stopped" if one.stopped else "finished"
        prepared.note(f"{in_words(one.values)}: {one.score:.1%} after {one.rows:,} rows, {state}")
    return found


def _earlier(
    prepared: Prepared,
    study: optuna.Study,
    ended: Any,
    sizes: Sequence[int],
    choosing: IntArray,
    finished: dict[int, Outcome],
) -> list[Tried]:
    """What an earlier search tried, as far as its trainings are in the cache."""
    tried = []
    for one in study.get_trials(states=ended):
        reached = sizes[len(one.intermediate_values) - 1] if one.intermediate_values else sizes[0]
        outcome = find(prepared, _trial(prepared, one.params, reached))
        if outcome is None:
            continue
        if reached == sizes[-1]:
            finished[one.number] = outcome
        values = space.rounded(one.params)
        tried.append(Tried(one.number, values, reached, float(outcome.scores[choosing].mean()), reached != sizes[-1]))
    return tried


def _try(
    optuna: Any,
    study: optuna.Study,
    asked: optuna.Trial,
    prepared: Prepared,
    sizes: Sequence[int],
    choosing: IntArray,
    budget: Budget,
    finished: dict[int, Outcome],
) -> Tried | None:
    """Train on one part after the other while the values are among the best; None when time is up before the first."""
    from optuna.trial import TrialState

    values, value, size = space.rounded(asked.params), 0.0, 0
    for step, size in enumerate(sizes):
        trial = _trial(prepared, values, size)
        if find(prepared, trial) is None and not budget.allows(trial):
            study.tell(asked, state=TrialState.PRUNED if step else TrialState.FAIL)
            return Tried(asked.number, values, sizes[step - 1], value, True) if step else None
        outcome = carry_out(prepared, trial)
        budget.learn(trial, outcome)
        value = float(outcome.scores[choosing].mean())
        asked.report(value, REDUCTION**step)
        if size != sizes[-1] and asked.should_prune():
            study.tell(asked, state=TrialState.PRUNED)
            return Tried(asked.number, values, size, value, True)
    study.tell(asked, value)
    finished[asked.number] = outcome
    return Tried(asked.number, values, size, value, False)


def _judged(
    prepared: Prepared,
    keys: Sequence[str],
    tried: Sequence[Tried],
    yours: dict[str, Any],
    own: Outcome,
    finished: dict[int, Outcome],
    judging: IntArray,
) -> Searched:
    """The best by the half that chose, beside the project's own by the half that did not."""
    metric = ROW_METRIC[prepared.material.goal.output]
    draw = {"resamples": RESAMPLES, "seed": prepared.seed}
    best = max((one for one in tried if not one.stopped), key=lambda one: one.score)
    left = _of(own.scores, judging)
    yours_score = score(metric, left, **draw)
    ranked = tuple(sorted(tried, key=lambda one: (one.stopped, -one.rows, -one.score)))
    if best.number < 0:
        words = f"None of {len(tried) - 1} other settings had a better score than yours on the rows that choose."
        return Searched(metric, tuple(keys), ranked, yours, None, yours_score, None, None, words)
    right = _of(finished[best.number].scores, judging)
    against = difference(metric, ("best", right), ("yours", left), **draw)
    shown = "is shown to be better" if against.shown == "better" else "is not shown to be better"
    words = (
        f"The best of {len(tried) - 1} ({in_words(best.values)}) {shown} than your settings: "
        f"{100 * against.value:+.1f} points ({100 * against.low:+.1f} to {100 * against.high:+.1f}) on "
        f"{against.n:,} rows that did not choose it."
    )
    return Searched(
        metric, tuple(keys), ranked, yours, best.values, yours_score, score(metric, right, **draw), against, words
    )


def _of(scores: FloatArray, places: IntArray) -> Mean:
    return Mean(scores[places])


def in_words(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in values.items())
