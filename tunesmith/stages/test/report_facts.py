"""Tables of plain facts for the report: data, base, recipe, versions, time, and what is unchecked."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tunesmith import memory
from tunesmith.products import BaseModel, CleanSet, Collection, Dataset, GoalSheet, GroupGain, Splits, TunedModel
from tunesmith.stages.context import Context
from tunesmith.stages.test.wording import bytes_, number, plural, seconds

Rows = list[tuple[str, str]]

#: Groups of validation rows of each kind that the report tells of.
GROUPS_SHOWN = 12

PACKAGES = (
    "tunesmith", "torch", "transformers", "peft", "tokenizers", "safetensors", "llguidance", "numpy",
    "scipy", "scikit-learn", "pyarrow", "jsonschema", "rouge-score", "sacrebleu",
)  # fmt: skip


def data(collection: Collection, clean: CleanSet, dataset: Dataset, split: Splits, not_asked: int = 0) -> Rows:
    """How many rows there were after each step, and how long they are. ``not_asked``: test rows that were left out."""
    rows = sum(int(source.get("rows", 0)) for source in collection.sources)
    examples = sum(int(source.get("examples", 0)) for source in collection.sources)
    found = [("Rows read", f"{rows:,}"), ("Became examples", f"{examples:,}")]
    if "kept" in clean.counts:
        found.append(("Kept by cleaning", f"{clean.counts['kept']:,}"))
    if "rows" in dataset.counts:
        found.append(("Shown to the model", f"{dataset.counts['rows']:,}"))
    found += [
        ("Training part", plural(len(split.ids("train")), "row")),
        ("Validation part", plural(len(split.ids("validation")), "row")),
        ("Test part, locked", plural(len(split.ids("test")), "row")),
        ("Hash of the test part", split.test_sha256[:16]),
    ]
    if not_asked:
        why = "too long for the model, or texts without a question"
        found.insert(-1, ("Of these not asked", f"{plural(not_asked, 'row')}: {why}"))
    if "median" in dataset.facts and "longest" in dataset.facts:
        found.append(
            ("Length of a row", f"{dataset.facts['median']:,} tokens (median), at most {dataset.facts['longest']:,}")
        )
    return found


def leak_note(split: Splits) -> str:
    """What the split stage did against leaks between the parts."""
    certificate = split.certificate()
    if certificate is None:
        return "Equal and nearly equal inputs stand on one side of the split."
    how = "every pair was compared" if certificate["every_pair_compared"] else "compared by MinHash"
    note = (
        f"Leak certificate: no row of one part is {certificate['limit']:.0%} like a row of another ({how}), and it was "
        "checked that it belongs to these rows."
    )
    crossing = [pair for pair in certificate["highest"] if pair["parts"] == ["train", "test"]]
    if crossing:
        note += f" The nearest training and test rows are {crossing[0]['similarity']:.1%} alike."
    if certificate["group"]:
        note += f" No {certificate['group']} is in two parts."
    chance = certificate["random_split"]
    return note + (
        f" A plain random split would have put near copies of {chance['test']:,.0f} of "
        f"{plural(chance['test_rows'], 'test row')} into the training part (mean of {chance['draws']} draws)."
    )


def base(base: BaseModel) -> Rows:
    """What the tuned model was made from."""
    return [
        ("Name", base.name),
        ("Kind", base.kind.replace("_", " ")),
        ("Parameters", f"{base.parameters:,}"),
        ("Context", f"{base.context:,} tokens"),
        ("Licence", base.licence),
        ("Source", base.source),
        ("SHA-256 of the weights", base.sha256),
        ("Why this one", base.reason),
    ]


def recipe(tuned: TunedModel) -> Rows:
    """Every setting of the training as it was used."""
    return [(key, _plain(value)) for key, value in tuned.recipe.items() if key != "words"]


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return (
            f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and value >= 10_000 else str(value)
        )
    return f"{value:g}"


def versions() -> Rows:
    """The packages that had a part in it."""
    found = [("python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return found


def time_and_memory(context: Context, tuned: TunedModel, test_seconds: float, facts: Mapping[str, Any]) -> Rows:
    """Seconds by stage, seconds an answer, and the most memory in use."""
    stages = {name: float(value) for name, value in dict(context.facts.get("stage_seconds") or {}).items()}
    stages["test"] = test_seconds
    found = [(f"Stage {name}", seconds(value)) for name, value in stages.items()]
    if len(stages) > 1:
        found.append(("All stages", seconds(sum(stages.values()))))
    found += [(f"An answer, {name}", seconds(value)) for name, value in facts["seconds_per_answer"].items()]
    if tuned.facts.get("peak_memory_bytes"):
        found.append(("Peak memory, training", bytes_(tuned.facts["peak_memory_bytes"])))
    found.append(("Peak memory, this process", bytes_(memory.peak())))
    found.append(("Machine", f"{platform.system()} {platform.machine()}, {plural(os.cpu_count() or 1, 'core')}"))
    return found


def unchecked(goal: GoalSheet, tuned: TunedModel, *, texts: bool = False) -> list[str]:
    """What these figures do not show."""
    device = str(tuned.facts.get("device") or "CPU")
    found = [
        f"These figures were measured on this machine's {device}. Tunesmith's own tests do not run on CUDA and do "
        "not reach the real model hub: both are unchecked.",
        "The intervals take the test rows as independent of each other and alike to what the model will meet. "
        "Input of another kind is unmeasured.",
        "A threshold that is moved after a look at this page no longer means what it says: the test part is for "
        "judging, not for choosing.",
    ]
    if texts:
        found.append(
            "The test texts come from the same sources as the training texts, often from the same file: the scores say "
            "how well the model knows such texts, not texts of another kind, and not whether what it writes is true."
        )
    elif goal.output == "text":
        found.append("ROUGE-L and chrF measure likeness to the reference answer, not whether what is said is true.")
    if goal.output == "json":
        found.append(
            "Fields of free text are scored by the words they share with the reference, not by what they mean."
        )
    return found


def groups(tuned: TunedModel) -> list[tuple[str, ...]]:
    """What each group of validation rows gained: kind, name, rows, loss, what it fell by, and what was right.

    Of each kind those that gained least come first, and at most `GROUPS_SHOWN` of them are told.
    """
    found = []
    for kind in dict.fromkeys(one.kind for one in tuned.groups):
        of_kind = [one for one in tuned.groups if one.kind == kind]
        found += [_group(one) for one in of_kind[:GROUPS_SHOWN]]
        if len(of_kind) > GROUPS_SHOWN:
            found.append(
                (kind, f"… and {plural(len(of_kind) - GROUPS_SHOWN, 'group')} that gained more", "", "", "", "")
            )
    return found


def slices(found: Sequence[Mapping[str, Any]], metric: str) -> list[tuple[str, ...]]:
    """How tuned and its rival did on slices of the test rows: kind, name, rows, both scores, and what is shown.

    Of each kind the lowest come first, and at most `GROUPS_SHOWN` of them are told.
    """
    rows = []
    for kind in dict.fromkeys(one["kind"] for one in found):
        of_kind = [one for one in found if one["kind"] == kind]
        rows += [_slice(one, metric) for one in of_kind[:GROUPS_SHOWN]]
        if len(of_kind) > GROUPS_SHOWN:
            rows.append((kind, f"… and {plural(len(of_kind) - GROUPS_SHOWN, 'slice')} that did better", "", "", "", ""))
    return rows


def _slice(one: Mapping[str, Any], metric: str) -> tuple[str, ...]:
    low = "below the other rows" if one["below"] < 0.05 else ""
    said = {"better": "tuned is better", "worse": "tuned is worse", "not_shown": ""}[one["shown"]]
    return (
        one["kind"],
        one["name"] or "too few rows each, together",
        f"{one['n']:,}",
        number(metric, one["rival"]),
        f"{number(metric, one['value'])} ({number(metric, one['low'])} to {number(metric, one['high'])})",
        "; ".join(filter(None, [said, low])),
    )


def _group(one: GroupGain) -> tuple[str, ...]:
    interval = f" ({_signed(one.gain_low)} to {_signed(one.gain_high)})" if one.gain_low is not None else ""
    return (
        one.kind,
        one.name or "too few rows each, together",
        f"{one.n:,}",
        f"{one.loss_before:.3f} → {one.loss:.3f}",
        f"{_signed(one.gain)}{interval}",
        f"{one.accuracy_before:.0%} → {one.accuracy:.0%}",
    )


def _signed(value: float | None) -> str:
    return f"{value or 0:+.2f}".replace("-", "−")


def commands(decision: str, *, alone: bool = False) -> Rows:
    """What to type next. ``alone``: there is no base beside which to try the model."""
    found = [('tunesmith ask "…"', "try the model" if alone else "try the tuned model beside the base")]
    if decision != "ship":
        found.append(("tunesmith add FILE && tunesmith run", "give it more examples and measure again"))
    found += [
        ("tunesmith show test", "these scores in the terminal"),
        ("tunesmith clean --restore ID", "take a row back that cleaning set aside"),
    ]
    return found
