"""`tunesmith advise --more-data|--bases|--search`: what more examples, another base or other settings would bring."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunesmith.cli.arguments import open_project, screen_for
from tunesmith.errors import Cancelled, InputError
from tunesmith.events import duration
from tunesmith.wording import percent

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.example import Score
    from tunesmith.project import Project
    from tunesmith.trials.compare_bases import BasesCompared
    from tunesmith.trials.more_data import MoreData
    from tunesmith.trials.search import Searched

MINUTES = 20.0
#: So many slices, and so many of the settings that were tried, are shown.
SLICES, TRIED = 5, 12


def add_options(parser: argparse.ArgumentParser) -> argparse._MutuallyExclusiveGroup:
    """The options of `tunesmith advise` that train small trials; returns the group that only one can be given of."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--more-data",
        metavar="EXAMPLES",
        nargs="?",
        type=int,
        const=0,
        help="what so many examples in all would bring (without a number: twice and four times as many), and where the "
        "next labels bring most",
    )
    which.add_argument("--bases", metavar="A,B,C", help="train each of these bases beside the project's own")
    which.add_argument(
        "--search",
        metavar="KEYS",
        help="search settings of train, such as learning_rate,rank,epochs; needs the extra `search`",
    )
    parser.add_argument("--minutes", type=float, help=f"time for the trainings (default: {MINUTES:g})")
    parser.add_argument(
        "--accept",
        action="store_true",
        help="with --bases and --search: write what is shown to be better into tunesmith.yaml",
    )
    return which


def asked(arguments: argparse.Namespace) -> bool:
    """Whether one of the options is given."""
    return arguments.more_data is not None or bool(arguments.bases) or bool(arguments.search)


def check(arguments: argparse.Namespace) -> None:
    """Raise InputError ``no_trial_asked`` where options of the trainings are given, and none is asked for."""
    given = [name for name, on in (("--minutes", arguments.minutes is not None), ("--accept", arguments.accept)) if on]
    if given and not asked(arguments):
        raise InputError(
            "no_trial_asked",
            f"{given[0]} is about the trainings of --more-data, --bases and --search, and none of these is given",
            given[0],
            "give one of them; --set advise.minutes=N is the time to measure set-ups in, `--use ARM` chooses one",
        )


def run(arguments: argparse.Namespace) -> int:
    """Train the trials that were asked for, with the progress on stderr, and show what came of them."""
    from tunesmith.cli.progress import progress

    minutes = MINUTES if arguments.minutes is None else arguments.minutes
    if not minutes > 0:
        raise InputError("bad_minutes", f"{minutes:g} min are no time", "--minutes", "give more than 0")
    if arguments.accept and arguments.more_data is not None:
        raise InputError("nothing_to_accept", "--more-data proposes no setting", "--accept", "leave --accept out")
    project = open_project(arguments)
    given: dict[str, Any] = {"minutes": minutes, "overrides": arguments.set}
    screen = screen_for(arguments)
    with progress(screen_for(arguments, stderr=True)) as on_event:
        found = _measured(project, arguments, {**given, "on_event": on_event})
    if arguments.more_data is not None:
        show_more_data(found, screen)
    elif arguments.bases:
        show_bases(found, screen)
        _adopt(project, {"base.model": found.better} if found.better else {}, arguments.accept, screen)
    else:
        show_search(found, screen)
        better = found.best if found.better and found.best else {}
        _adopt(project, {f"train.{key}": value for key, value in better.items()}, arguments.accept, screen)
    return 0


def _measured(project: Project, arguments: argparse.Namespace, given: dict[str, Any]) -> Any:
    try:
        if arguments.more_data is not None:
            return project.forecast_more_data(examples=arguments.more_data or None, **given)
        if arguments.bases:
            return project.try_bases(_words(arguments.bases), **given)
        return project.search_settings(_words(arguments.search), **given)
    except Cancelled as stopped:
        stopped.fix = "the same command goes on from here"
        raise


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _adopt(project: Project, values: dict[str, Any], accept: bool, screen: Screen) -> None:
    """Say how what is better is adopted, or write it where that was asked for."""
    if not values:
        if accept:
            screen.say("Nothing is written to tunesmith.yaml: nothing is shown to be better than what is there.")
        return
    if accept:
        project.write_settings(values)
        screen.say(f"Written to tunesmith.yaml: {', '.join(f'{key}: {value}' for key, value in values.items())}.")
        screen.say(f"next    {screen.command('run')}")
        return
    settings = " ".join(f"--set {key}={value}" for key, value in values.items())
    screen.say(f"try it  {screen.command(f'run {settings}')}")
    screen.say("keep it with --accept, which writes it to tunesmith.yaml")


def with_interval(score: Score) -> str:
    return f"{percent(score.value)} ({percent(score.low)} to {percent(score.high)})"


def show_more_data(found: MoreData, screen: Screen) -> None:
    """The measured curve, the forecasts, and where the next labels bring most."""
    screen.heading(f"How much data: {found.examples:,} examples now, {found.rows:,} of them to train on")
    n = found.parts[0].score.n
    rows = [
        [f"{one.rows:,}", one.draw + 1, with_interval(one.score), duration(one.seconds)]
        for one in sorted(found.parts, key=lambda one: (one.rows, one.draw))
    ]
    screen.table(["rows trained on", "draw", f"{found.metric} on {n:,} validation rows", "time"], rows, right=(0, 1))
    screen.say()
    for forecast in found.forecasts:
        screen.say(forecast.words, wrap=True)
    screen.say(found.slice_words, wrap=True)
    if found.slices:
        screen.say()
        screen.table(
            ["slice", "rows now", "measured", "50 more labels bring", "shown to beat spreading them"],
            [
                [
                    f"{one.kind} {one.name}",
                    f"{one.trained:,}",
                    f"{one.measured:,}",
                    f"{100 * one.gain.value:+.2f} points ({100 * one.gain.low:.2f} to {100 * one.gain.high:.2f})",
                    "yes" if one.shown else "no",
                ]
                for one in found.slices[:SLICES]
            ],
            right=(1, 2),
        )
    if found.left_out:
        screen.say(found.left_out, "dim", wrap=True)


def show_bases(found: BasesCompared, screen: Screen) -> None:
    """Each base with its score, its difference from the project's own, and what it takes."""
    screen.heading(
        f"Which base: each trained on {found.rows:,} rows, measured on {found.tried[0].score.n:,} validation rows"
    )
    screen.table(
        ["base", "parameters", found.metric, "against yours", "time", "memory", "licence"],
        [
            [
                one.name + (" (yours)" if one.against is None else ""),
                f"{one.parameters / 1e6:,.1f} M",
                with_interval(one.score),
                "" if one.against is None else _against(one.against.value, one.against.low, one.against.high),
                duration(one.seconds),
                f"{one.peak_bytes / 1e9:.2f} GB",
                one.licence,
            ]
            for one in found.tried
        ],
        right=(1,),
    )
    for one in found.tried:
        if one.refused:
            screen.say(f"{one.name} cannot be shown {one.refused:,} rows; they are left out.", "dim")
    if found.not_tried:
        screen.say(f"No time was left for {', '.join(found.not_tried)}.", "dim")
    screen.say(found.words, wrap=True)


def _against(value: float, low: float, high: float) -> str:
    return f"{100 * value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def show_search(found: Searched, screen: Screen) -> None:
    """What was tried, the best first, and the best beside the project's own settings."""
    whole = max(one.rows for one in found.tried)
    screen.heading(f"Which settings: {len(found.tried) - 1} tried beside yours")
    screen.table(
        [*found.keys, "rows", f"{found.metric} on the rows that choose", ""],
        [
            [*(_value(one.values[key]) for key in found.keys), f"{one.rows:,}", percent(one.score), _fate(one, whole)]
            for one in _shown(found.tried)
        ],
        right=tuple(range(len(found.keys) + 1)),
    )
    screen.say()
    best = "" if found.best_score is None else f", the best {with_interval(found.best_score)}"
    screen.say(f"On {found.yours_score.n:,} rows that chose nothing: yours {with_interval(found.yours_score)}{best}.")
    screen.say(found.words, wrap=True)


def _shown(tried: Sequence[Any]) -> list[Any]:
    return [one for at, one in enumerate(tried) if at < TRIED or one.number < 0]


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _fate(one: Any, whole: int) -> str:
    if one.number < 0:
        return "yours"
    return "" if one.rows == whole else "stopped early"
