"""The report as one self-contained HTML page: no scripts, no network, light and dark, fit to print."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from tunesmith.stages.test import report_opinions, wording
from tunesmith.stages.test.charts import Bar, interval_bars, line_chart, reliability_chart
from tunesmith.stages.test.in_use import figures_of
from tunesmith.stages.test.report_arms import LEAD as ARMS_LEAD
from tunesmith.stages.test.report_data import MetricRow, ReportData
from tunesmith.stages.test.report_in_use import cells
from tunesmith.stages.test.report_raccoon import HEAD as RACCOON_HEAD
from tunesmith.stages.test.report_rounds import HEADS

_HERE = Path(__file__).parent

STATES = {"met": "met", "not_met": "not met", "undecided": "not settled"}
TRAINING = {
    "learned": "It learned",
    "still_learning": "It was still learning",
    "overfitting": "It learned, then overfitted",
    "little_gained": "Tuning gained little that these rows show",
    "did_not_learn": "It did not learn",
}
OUTPUTS = {"text": "text → text", "label": "text → label", "json": "text → JSON"}


def as_html(report: ReportData) -> str:
    """Write the report. All text is escaped: what users and models wrote may hold HTML."""
    return template().render(
        report=report,
        headline=report.verdict["headline"],
        training_headline=TRAINING.get(report.training.get("code", ""), "Training"),
        bars=bars,
        loss_chart=line_chart(report.curves, best_step=report.best_step),
        reliability_chart=reliability_chart(report.bins),
        field_charts=[(one, reliability_chart(one.bins)) for one in report.field_diagrams],
        in_use_figures=figures_of,
        in_use_cells=cells,
        rounds_heads=HEADS,
        arms_lead=ARMS_LEAD,
        accuracy_chart=line_chart(report.accuracy_curves, best_step=report.best_step, percent=True),
    )


@cache
def template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    css = (_HERE / "report.css").read_text(encoding="utf-8")
    environment.globals.update(
        words=wording,
        css=Markup(css),
        STATES=STATES,
        OUTPUTS=OUTPUTS,
        RACCOON_HEAD=RACCOON_HEAD,
        OPINIONS_TITLE=report_opinions.TITLE,
        OPINIONS_LEAD=report_opinions.LEAD,
        OPINIONS_METRICS=report_opinions.METRICS,
        OPINIONS_REVIEWERS=report_opinions.REVIEWERS,
    )
    return environment.get_template("report.html.jinja")


def bars(row: MetricRow) -> Markup:
    """A metric's two intervals on one scale."""
    largest = 1.0
    if row.metric in wording.RATIOS:
        largest = max(2.0, row.rival.high, row.tuned.high)
    if row.metric in wording.BITS:
        largest = max(8.0, row.rival.high, row.tuned.high)
    at_least = 1.0 if row.metric in wording.RATIOS and row.at_least is None else row.at_least
    return interval_bars([Bar("base", row.rival), Bar("tuned", row.tuned)], at_least, largest)
