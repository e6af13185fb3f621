"""`tunesmith show train`: the verdict, the recipe and the curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.cli.screen import Screen, brief
from tunesmith.cli.words import near_path
from tunesmith.errors import InputError
from tunesmith.events import duration
from tunesmith.products import GroupGain, TunedModel

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Of the table of the curve; the first accuracy is that of the training steps.
HEADERS = ("step", "training loss", "accuracy", "validation loss", "accuracy", "learning rate", "gradient", "")
POINTS_SHOWN = 20
HARDEST_SHOWN = 5
SKIPPED_SHOWN = 5
#: Of each kind.
GROUPS_SHOWN = 8
#: Characters of an example's input that tell which it is.
SHOWN = 60


def show(tuned: TunedModel, screen: Screen) -> None:
    """Show what the training's curves say, how it was done and what it took."""
    screen.heading(str(tuned.verdict["words"]))
    if tuned.verdict.get("try"):
        screen.say(str(tuned.verdict["try"]), wrap=True)
    if tuned.forgetting:
        screen.say(" ".join(filter(None, [tuned.forgetting.words, tuned.forgetting.advice])), wrap=True)
    facts = tuned.facts
    screen.pairs(
        [
            ("recipe", tuned.recipe.get("words", "")),
            ("rows", f"{facts['rows']:,} to train on, {facts['validation_rows']:,} to choose the best step on"),
            ("trained", f"{facts['parameters_trained']:,} parameters"),
            ("steps", _steps(facts)),
            *_skipped(facts),
            ("time", duration(facts["seconds"]) + _expected(facts, "seconds", duration)),
            ("speed", _speed(facts)),
            ("peak memory", gigabytes(facts["peak_memory_bytes"]) + _expected(facts, "memory_bytes", gigabytes)),
            ("model", near_path(tuned.folder)),
        ]
    )
    points = curve_points(tuned.curve, best_step=facts["best_step"])
    if points:
        screen.say()
        screen.table(HEADERS, points, right=range(len(HEADERS) - 1))
    show_groups(tuned.groups, screen)


def show_groups(groups: Sequence[GroupGain], screen: Screen) -> None:
    """Show what each group of validation rows gained, what gained least first."""
    if not groups:
        return
    rows = []
    for kind in dict.fromkeys(one.kind for one in groups):
        of_kind = [one for one in groups if one.kind == kind]
        rows += [_group(one) for one in of_kind[:GROUPS_SHOWN]]
        if len(of_kind) > GROUPS_SHOWN:
            rows.append([kind, f"… and {len(of_kind) - GROUPS_SHOWN} that gained more"])
    screen.say()
    screen.say("What each group of validation rows gained by training (mean loss, share right):")
    screen.table(["", "group", "rows", "loss", "gain (95% interval)", "right"], rows, right=(2, 3, 4, 5))


def _group(one: GroupGain) -> list[str]:
    interval = f" ({one.gain_low:.2f} to {one.gain_high:.2f})" if one.gain_low is not None else ""
    return [
        one.kind,
        brief(one.name, 40) or "too few each, together",
        f"{one.n:,}",
        f"{one.loss_before:.2f} → {one.loss:.2f}",
        f"{one.gain:.2f}{interval}",
        f"{one.accuracy_before:.0%} → {one.accuracy:.0%}",
    ]


def show_hardest(project: Project, screen: Screen) -> None:
    """Show the examples with the highest loss at the end of training: wrong answers are often among them."""
    try:
        hardest = project.product("train").hardest(HARDEST_SHOWN)
    except InputError as error:
        if error.code != "no_ledger":
            raise
        screen.say()
        screen.say(f"Hardest at the end: not known, since {error.what}; {error.fix}.", wrap=True)
        return
    where = _where(project, {line.id for line in hardest})
    rows = [[f"{line.loss:.3f}", times(len(line.steps)), line.id, where[line.id]] for line in hardest]
    screen.say()
    more = screen.command("show train --example ID")
    screen.say(f"Hardest at the end (look here for wrong answers; `{more}` tells more):")
    screen.table(["loss", "trained", "id", "example"], rows, right=(0,))


def show_example(project: Project, wanted: str, screen: Screen) -> None:
    """Show how often and when one example was trained. ``wanted`` is an id, or the start of one."""
    tuned: TunedModel = project.product("train")
    lines = list(tuned.trained_examples())
    found = [line for line in lines if line.id.startswith(wanted)]
    if len(found) != 1:
        raise InputError(
            "example_not_found",
            f"{len(found) or 'no'} examples of this training have an id that starts with {wanted!r}",
            fix="`tunesmith clean` lists what was set aside, `tunesmith show split` how the rest was divided; "
            "rows of the test part are never trained",
        )
    [line] = found
    screen.heading(f"{_where(project, {line.id})[line.id]} (id {line.id})")
    losses = sorted((one.loss for one in lines if one.loss is not None), reverse=True)
    pairs = [
        (
            "trained",
            f"{times(len(line.steps))}, in steps {', '.join(map(str, line.steps))}" if line.steps else "not yet",
        )
    ]
    if line.times_kept != len(line.steps):
        pairs.append(("of these", f"{times(line.times_kept)} up to the step whose weights are kept"))
    for step, why in sorted(skips_of(tuned.facts, line.id)):
        pairs.append(("skipped", f"step {step}, since {why}"))
    if line.loss is not None:
        rank = losses.index(line.loss) + 1
        pairs.append(("loss", f"{line.loss:.3f} the last time, number {rank:,} of {len(losses):,} from the highest"))
    screen.pairs(pairs)


def skips_of(facts: dict[str, Any], id: str) -> list[tuple[int, str]]:
    """The steps that an example was in and that changed nothing, and why, of the training that made the weights."""
    skipped = facts.get("refit_skipped" if facts.get("refit_steps") else "skipped", [])
    return [(one["step"], _why(one)) for one in skipped if id in one["ids"]]


def _why(skipped: dict[str, Any]) -> str:
    return str(skipped.get("why", "its loss or gradient was not finite"))


def _skipped(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Steps whose loss or gradient was not finite, as a line of their own, if there are any."""
    found = [*facts.get("skipped", []), *facts.get("refit_skipped", [])]
    if not found:
        return []
    told = "; ".join(f"step {one['step']:,}: {_why(one)}" for one in found[:SKIPPED_SHOWN])
    more = f"; and {len(found) - SKIPPED_SHOWN:,} more" if len(found) > SKIPPED_SHOWN else ""
    return [("skipped", f"{len(found):,} of the steps changed nothing ({told}{more})")]


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _where(project: Project, ids: set[str]) -> dict[str, str]:
    """File and row of some examples, and how each begins."""
    return {one.id: f"{one.source.where}: {_start(one.input)}" for one in project.product("clean").examples(ids)}


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB"


def _expected(facts: dict[str, Any], name: str, in_words: Callable[[float], str]) -> str:
    """What was told before the run, where it was."""
    expected = facts.get("expected", {}).get(name)
    return f" (expected {in_words(expected)})" if expected else ""


def _steps(facts: dict[str, Any]) -> str:
    early = "; stopped early" if facts.get("stopped_early") else ""
    planned = facts.get("planned_steps", facts["steps"])
    if planned < facts["steps"]:
        early += f"; {planned:,} were planned, and validation still gained clearly"
    if not facts.get("refit_steps"):
        return f"{facts['steps']:,}; step {facts['best_step']:,} is kept{early}"
    rows = facts["rows"] + facts["validation_rows"]
    return (
        f"{facts['steps']:,}; step {facts['best_step']:,} is best{early}; "
        f"then trained anew on all {rows:,} rows for {facts['refit_steps']:,} steps, and these weights are kept"
    )


def _speed(facts: dict[str, Any]) -> str:
    """How many tokens of the rows a second, and how many of them were computed."""
    real, computed = facts.get("tokens_per_second"), facts.get("computed_tokens_per_second")
    if not real or not computed:
        return ""
    saved = 1 - computed / real
    why = f", since rows share {saved:.0%} of their tokens" if saved > 0 else ", padding included" if saved < 0 else ""
    return f"{real:,.0f} tokens/s ({computed:,.0f} computed{why})"


def curve_points(curve: Sequence[dict[str, Any]], best_step: int) -> list[list[str]]:
    """One row a validation, as `HEADERS` say: what training measured since the one before (the learning rate as it
    was last, means of the others), and what the validation did.

    Long curves are thinned evenly; the first, the last and the best stay.
    """
    points: list[list[str]] = []
    steps: list[dict[str, Any]] = []
    for entry in curve:
        if "train_loss" in entry:
            steps.append(entry)
        if "validation_loss" in entry:
            points.append(
                [
                    f"{entry['step']:,}",
                    _mean(steps, "train_loss", "{:.4f}"),
                    _mean(steps, "train_accuracy", "{:.3f}"),
                    f"{entry['validation_loss']:.4f}",
                    _mean([entry], "validation_accuracy", "{:.3f}"),
                    _mean(steps[-1:], "learning_rate", "{:.2g}"),
                    _mean(steps, "gradient_norm", "{:.2g}"),
                    "best" if entry["step"] == best_step else "",
                ]
            )
            steps = []
    every = -(-len(points) // POINTS_SHOWN) or 1
    return [point for index, point in enumerate(points) if index % every == 0 or index == len(points) - 1 or point[-1]]


def _mean(entries: Sequence[dict[str, Any]], key: str, form: str) -> str:
    """The mean of what was measured, empty where nothing was."""
    values = [entry[key] for entry in entries if key in entry]
    return form.format(sum(values) / len(values)) if values else ""
