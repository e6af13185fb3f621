"""The report as Markdown, for a terminal, a pull request or a wiki. Same order as the HTML page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tunesmith.stages.test import wording
from tunesmith.stages.test.report_data import MetricRow, ReportData
from tunesmith.stages.test.report_html import OUTPUTS, STATES, TRAINING
from tunesmith.stages.test.report_in_use import as_markdown as in_use_section
from tunesmith.stages.test.report_opinions import opinions_as_markdown
from tunesmith.stages.test.report_raccoon import HEAD, RaccoonSection
from tunesmith.stages.test.report_rounds import as_markdown as rounds_section
from tunesmith.stages.test.side_by_side import Line, WorstRow

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$!&])")


def as_markdown(report: ReportData) -> str:
    """Write the report. Text of users and models is escaped or fenced."""
    parts = [
        _head(report),
        _scores(report),
        *([in_use_section(report.in_use, report.row_metric, inline, table)] if report.in_use else []),
        *([rounds_section(report.rounds, inline, table)] if report.rounds else []),
        opinions_as_markdown(report.opinions, inline, table),
        *raccoon(report.raccoon),
        _training(report),
        _worst(report),
        _set_aside(report),
        _facts(report),
        _end(report),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _head(report: ReportData) -> str:
    lines = [
        f"# {inline(report.name)}: {report.verdict['headline']}",
        f"{'text' if report.texts else OUTPUTS[report.output]} · {inline(report.base_name)} · measured on "
        f"{wording.plural(report.rows, 'test row')} that training never saw"
        + (f" · {inline(report.made_on)}" if report.made_on else ""),
        f"**{inline(report.verdict['words'])}**",
        inline(report.verdict["comparison"]["words"]),
    ]
    if report.hand_off:
        lines.append(inline(report.hand_off))
    if report.verdict["criteria"]:
        rows = [
            (
                inline(wording.title(one["metric"])),
                wording.number(one["metric"], one["at_least"]),
                wording.number(one["metric"], one["value"]),
                f"{wording.number(one['metric'], one['low'])} to {wording.number(one['metric'], one['high'])}",
                f"{one['n']:,}",
                STATES[one["state"]],
            )
            for one in report.verdict["criteria"]
        ]
        lines.append(table(("Criterion", "At least", "Measured", "95% interval", "n", "State"), rows))
    return "\n\n".join(lines)


def _scores(report: ReportData) -> str:
    lines = [
        "## Scores",
        f"n = {report.rows:,}. The difference is tuned minus {_lower(report.rival.heading)}, row by row, "
        "in percentage points.",
    ]
    for one in report.tables:
        if len(report.tables) > 1:
            lines.append(f"### {one.title}")
        lines.append(
            table(("Metric", report.rival.title, "Tuned", "Difference", "p"), [_score_row(row) for row in one.rows])
        )
    for name, count in report.cut.items():
        lines.append(f"{wording.plural(count, 'answer')} of “{name}” cut at the length limit.")
    if report.slices:
        lines += [
            f"### Slices, by {wording.in_sentence(report.row_metric)}",
            inline(report.slices_words),
            table(
                ("Kind", "Slice", "Rows", report.rival.title, "Tuned", "Shown"),
                [tuple(map(inline, row)) for row in report.slices],
            ),
        ]
    if report.calibration:
        lines += ["### Confidence of the tuned model", inline(report.calibration)]
    if report.bins:
        bins = [
            (f"{one.n:,}", f"{one.confidence:.1%}", f"{one.right:.1%} ({one.low:.1%} to {one.high:.1%})")
            for one in report.bins
        ]
        lines.append(table(("Rows", "Mean confidence", "Right"), bins))
    lines += [f"Field “{inline(one.field)}”: {inline(one.words)}" for one in report.field_diagrams]
    if report.mix_ups:
        lines.append("### Most frequent mix-ups of the tuned model")
        rows = [(inline(one.reference), inline(one.answer), str(one.count)) for one in report.mix_ups]
        lines.append(table(("Should be", "Was taken for", "Times"), rows))
    return "\n\n".join(lines)


def raccoon(section: RaccoonSection | None) -> Iterable[str]:
    """The raccoon suite, where there is one: sentences, a table by family, and rows that failed."""
    if section is None:
        return
    yield "## Raccoon suite"
    yield "\n".join(f"- {inline(sentence)}" for sentence in (*section.words, section.unknown) if sentence)
    if section.rows:
        yield table(HEAD, [tuple(map(inline, cells)) for _, cells in section.rows])
    for one in section.failing:
        yield f"### {inline(one.family)}: {inline(one.why)}"
        yield f"Prompt:\n\n{fenced(one.prompt, 'text')}"
        if one.plain is not None:
            yield f"Plain answer:\n\n{fenced(one.plain, 'text')}"
        yield f"Answer:\n\n{fenced(one.answer, 'text')}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _score_row(row: MetricRow) -> tuple[str, ...]:
    name = f"field {wording.title(row.metric)}" if row.is_field else wording.title(row.metric)
    cells = [inline(name)]
    cells += [f"{wording.number(row.metric, one.value)} ({wording.interval(one)})" for one in (row.rival, row.tuned)]
    if row.difference is None:
        return (*cells, "–", "–")
    one = row.difference
    difference = f"{wording.points(one.value)} ({wording.points(one.low)} to {wording.points(one.high)})"
    return (*cells, difference, inline(wording.p_cell(one.p)))


def _training(report: ReportData) -> str:
    code = str(report.training.get("code", ""))
    words = " ".join(filter(None, [report.training.get("words", ""), report.training.get("try", "")]))
    lines = ["## Training", f"**{TRAINING.get(code, 'Training')}.** {inline(words)}"]
    if report.forgetting:
        lines.append(inline(report.forgetting))
    points = [(step, value) for one in report.curves if one.kind == "validation" for step, value in one.points]
    if points:
        rows = [
            (f"{step:,g}", f"{value:.4f}", "best, kept" if step == report.best_step else "") for step, value in points
        ]
        lines.append(table(("Step", "Validation loss", ""), rows))
    if report.groups:
        lines.append(
            "What each group of validation rows gained, from before training to the step that was chosen, what gained "
            "least first. The gain is what the mean loss fell by, with its 95% interval; right is the share of "
            f"{report.counted}:"
        )
        head = ("Kind", "Group", "Rows", "Loss", "Gain", "Right")
        lines.append(table(head, [tuple(map(inline, row)) for row in report.groups]))
    if report.hardest:
        lines.append("Training examples that were hardest at the end; wrong answers are often among them:")
        hard = [(inline(one.where), inline(one.input), inline(one.answer), f"{one.loss:.2f}") for one in report.hardest]
        lines.append(table(("Example", "Input", "Answer", "Loss"), hard))
    return "\n\n".join(lines)


def _worst(report: ReportData) -> str:
    lines = ["## Worst examples"]
    if not report.worst:
        lines.append("None is shown." if report.wrong else "The tuned model got every test row right.")
    for number, row in enumerate(report.worst, 1):
        lines.append(f"### {number}. {inline(row.where)}")
        lines += _worst_row(report, row)
    return "\n\n".join(lines)


def _worst_row(report: ReportData, row: WorstRow) -> Iterable[str]:
    language = "json" if report.output == "json" else "text"
    yield f"Input:\n\n{fenced(row.input, 'text')}"
    yield f"Reference:\n\n{fenced(_text(row.reference), language)}"
    for name, shown in row.answers:
        remark = f", {shown.remark}" if shown.remark else ""
        score = wording.number(report.row_metric, shown.score)
        kind = "text" if "not JSON" in shown.remark else language
        yield f"{name.capitalize()} ({score}{remark}):\n\n{fenced(_text(shown.lines), kind)}"


def _text(lines: Sequence[Line]) -> str:
    return "\n".join(line.text for line in lines)


def _set_aside(report: ReportData) -> str:
    lines = ["## What was set aside, and why"]
    if not report.set_aside:
        lines.append("Every row went through untouched.")
    for group in report.set_aside:
        rows = wording.plural(group.count, "row")
        items = [f"**{group.stage}: {inline(group.why)}** ({group.fate}, `{group.code}`): {rows}"]
        for text, evidence in group.examples:
            quoted = f"“{inline(shortened(text, 160))}” " if text else ""
            items.append(f"- {quoted}{inline(shortened(evidence, 240))}")
        lines.append("\n".join([items[0], "", *items[1:]]).rstrip())
    return "\n\n".join(lines)


def _facts(report: ReportData) -> str:
    sources = [
        (
            inline(str(one["path"])),
            str(one.get("shape") or ""),
            f"{one.get('rows', 0):,}",
            f"{one.get('set_aside', 0):,}",
        )
        for one in report.sources
    ]
    parts = [
        "## Data and split",
        pairs(report.data),
        inline(report.leak_note),
        table(("Source", "Shape", "Rows", "Set aside"), sources),
        "## Settings and versions",
    ]
    for name, rows in (("Base model", report.base), ("Training recipe", report.recipe), ("Versions", report.versions)):
        parts += [f"### {name}", pairs(rows)]
    return "\n\n".join([*parts, "## Time and memory", pairs(report.time_and_memory)])


def _end(report: ReportData) -> str:
    notes = "\n".join(f"- {inline(note)}" for note in report.unchecked)
    commands = "\n".join(f"{command}  # {why}" for command, why in report.commands)
    folder = f"The model is in {inline(report.model_folder)}; its README.md says how to load it."
    return "\n\n".join(["## What is unchecked", notes, "## Next", folder, fenced(commands, "sh")])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells must be escaped already."""
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Name and value, as a table of two columns."""
    return table(("", ""), [(inline(name), inline(value)) for name, value in rows])


def inline(text: str) -> str:
    """Text on one line in which nothing is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def shortened(text: str, longest: int) -> str:
    """The text on one line, cut with an ellipsis."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
