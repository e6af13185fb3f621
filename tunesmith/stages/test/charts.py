"""Inline SVG: interval bars and loss curves. Colours come from the page's CSS by class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from tunesmith.example import Score
from tunesmith.scoring.calibration import Bin

BAR_WIDTH, BAR_ROW = 240, 15
WIDTH, HEIGHT = 560, 256
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 14, 42
POINTS_SHOWN = 240

Place = Callable[[float], float]


@dataclass(frozen=True)
class Bar:
    """One interval: ``kind`` is base or tuned."""

    kind: str
    score: Score


@dataclass(frozen=True)
class Series:
    """One curve: ``kind`` is train or validation; points are (step, value)."""

    kind: str
    name: str
    points: tuple[tuple[float, float], ...]


def interval_bars(bars: Sequence[Bar], at_least: float | None = None, largest: float = 1.0) -> Markup:
    """Each score as a dot on its 95% interval, on a scale from 0 to ``largest``; the criterion as a line."""
    height = BAR_ROW * len(bars) + 6

    def x(value: float) -> float:
        return round(6 + (BAR_WIDTH - 12) * min(1.0, max(0.0, value / largest)), 1)

    ticks = [
        f'<line class="tick" x1="{x(largest * share)}" x2="{x(largest * share)}" y1="0" y2="{height}"/>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    marks = []
    for row, bar in enumerate(bars):
        y = 3 + BAR_ROW * row + BAR_ROW / 2
        low, high, value = x(bar.score.low), x(bar.score.high), x(bar.score.value)
        width = max(1.0, round(high - low, 1))
        marks.append(
            f'<rect class="range {bar.kind}" x="{low}" y="{y - 3.5}" width="{width}" height="7" rx="3.5"/>'
            f'<circle class="dot {bar.kind}" cx="{value}" cy="{y}" r="4.5"/>'
        )
    if at_least is not None:
        marks.append(f'<line class="goal" x1="{x(at_least)}" x2="{x(at_least)}" y1="0" y2="{height}"/>')
    label = "; ".join(f"{bar.kind} {bar.score.value:.3f} ({bar.score.low:.3f} to {bar.score.high:.3f})" for bar in bars)
    return Markup(
        f'<svg class="bars" viewBox="0 0 {BAR_WIDTH} {height}" width="{BAR_WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(ticks + marks)}</svg>'
    )


def line_chart(series: Sequence[Series], *, best_step: float | None, percent: bool = False) -> Markup:
    """Curves over the training steps, from zero up, with the best step marked."""
    points = [point for one in series for point in one.points]
    if not points:
        return Markup("")
    y_ticks = ticks(0.0, max(value for _, value in points), 5)
    if percent:
        y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    x_ticks = ticks(0.0, max(step for step, _ in points), 6)
    right, top = max(x_ticks[-1], 1.0), y_ticks[-1] or 1.0

    def x(step: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * step / right, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)

    drawn = [_grid(x, y, x_ticks, y_ticks, percent)]
    if best_step is not None:
        drawn.append(_best(x(best_step), best_step))
    for one in series:
        path = " ".join(f"{x(step)},{y(value)}" for step, value in thinned(one.points))
        drawn.append(f'<polyline class="curve {one.kind}" points="{path}"/>')
        if one.kind == "validation":
            drawn += [
                f'<circle class="dot {one.kind}" cx="{x(step)}" cy="{y(value)}" r="3.5"/>' for step, value in one.points
            ]
    label = escape(", ".join(one.name for one in series) + " by training step")
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'
    )


def reliability_chart(bins: Sequence[Bin]) -> Markup:
    """The share of right answers with its interval over the mean confidence, beside the diagonal."""
    if not bins:
        return Markup("")

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * value, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value, 1)

    shares = [0.0, 0.25, 0.5, 0.75, 1.0]
    drawn = [_grid(x, y, shares, shares, True, "confidence")]
    drawn.append(f'<line class="best" x1="{x(0)}" x2="{x(1)}" y1="{y(0)}" y2="{y(1)}"/>')
    points = " ".join(f"{x(one.confidence)},{y(one.right)}" for one in bins)
    drawn.append(f'<polyline class="curve validation" points="{points}"/>')
    for one in bins:
        place = x(one.confidence)
        drawn.append(
            f'<line class="curve train" x1="{place}" x2="{place}" y1="{y(one.low)}" y2="{y(one.high)}"/>'
            f'<circle class="dot validation" cx="{place}" cy="{y(one.right)}" r="3.5"/>'
        )
    label = "; ".join(f"confidence {one.confidence:.2f}: {one.right:.2f} right, n = {one.n}" for one in bins)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'
    )


def _grid(
    x: Place, y: Place, x_ticks: Sequence[float], y_ticks: Sequence[float], percent: bool, name: str = "training step"
) -> str:
    lines = []
    for value in y_ticks:
        text = f"{100 * value:.0f}%" if percent else f"{value:g}"
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value)}" y2="{y(value)}"/>'
            f'<text class="axis" x="{LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{text}</text>'
        )
    for step in x_ticks:
        text = f"{step:.0%}" if name == "confidence" else f"{step:,g}"
        lines.append(f'<text class="axis" x="{x(step)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{text}</text>')
    lines.append(f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{name}</text>')
    return "".join(lines)


def _best(x: float, step: float) -> str:
    right_half = x > WIDTH * 0.7
    anchor, gap = ("end", -6) if right_half else ("start", 6)
    return (
        f'<line class="best" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="best-label" x="{x + gap}" y="{TOP + 10}" text-anchor="{anchor}">'
        f"best step: {step:,g}, kept</text>"
    )


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) from ``low`` until they reach ``high``."""
    if not high > low:
        return [low, low + 1]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    count = math.ceil((high - low) / step - 1e-9)
    return [round(low + index * step, 12) for index in range(count + 1)]


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS_SHOWN) -> list[tuple[float, float]]:
    """At most ``most`` points, each the mean of its neighbours."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / most)
    blocks = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(step for step, _ in block) / len(block), sum(value for _, value in block) / len(block)) for block in blocks
    ]
