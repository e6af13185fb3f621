"""The report: it holds everything, in order, escapes what users wrote, and needs nothing from outside."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from markupsafe import escape

from tunesmith.stages.test.charts import Series, line_chart, thinned, ticks
from tunesmith.stages.test.report_markdown import fenced, inline, table
from tunesmith.stages.test.side_by_side import clipped, differing, readable
from tunesmith.stages.test.wording import number, points, seconds

EVIL = "<script>alert('x')</script> & <img src=x onerror=alert(1)> ```"
SCHEMA = {"type": "object", "properties": {"category": {"enum": ["a", "b"]}, "reply": {"type": "string"}}}
FACTS = {"name": "support-desk", "made_on": "1 May 2031", "stage_seconds": {"collect": 0.4, "train": 201.0}}
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Checker(HTMLParser):
    """Collects tags and attributes, and finds elements that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            assert not name.startswith("on"), f"{tag} has a script in {name}"
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker


@pytest.fixture
def json_report(project):  # type: ignore[no-untyped-def]
    pairs = [
        (f"{EVIL} {number}", json.dumps({"category": "a", "reply": f"row {number} {EVIL}"})) for number in range(12)
    ]
    tuned = [*[answer for _, answer in pairs[:8]], *['{"category": "b", "reply": "\\ud800 row"}'] * 4]
    goal = project.goal("json", schema=SCHEMA, success=[("field_f1", 0.3)])
    return project.run(goal, pairs, [f"no {EVIL}"] * 12, tuned, facts=FACTS)


def test_the_report_holds_everything_in_order_verdict_first(json_report) -> None:  # type: ignore[no-untyped-def]
    html = json_report.html
    wanted = [
        'id="verdict"', "Ship", "Ship. The goal is met: field F1", "Tuning beats the base",
        'id="scores"', "With the schema enforced while decoding", "Field F1, field by field",
        'id="training"', "It learned", "0.612 at its best", "was lost: +0.31. It may not", "best step: 36",
        "each group of validation rows", "2.000 → 1.500", "+0.50 (+0.25 to +0.75)", "&lt;b&gt;bold",
        "too few rows each",
        'id="worst"', "not JSON",
        'id="set-aside"', "3 columns, not 4", "twice told", "the answer is blank", "tickets.csv:9: 9,000",
        "seen input 1001",
        'id="data"', "Test part, locked", "12 rows", "near copies of 3 of 12 test rows", "cdcdcdcdcdcdcdcd",
        'id="settings"', "134,515,008", "Apache-2.0", "abababab", "learning_rate", "0.0004", "transformers",
        'id="time"', "3 min 21 s", "1.90 GB",
        'id="unchecked"', "CUDA", "the real model hub",
        'id="next"', ".tunesmith/artifacts/train-1/model", "tunesmith ask",
    ]  # fmt: skip
    places = [html.find(text) for text in wanted]
    assert -1 not in places, wanted[places.index(-1)]
    sections = [place for place, text in zip(places, wanted, strict=True) if text.startswith("id=")]
    assert len(sections) == 10
    assert sections == sorted(sections)


def test_the_markdown_holds_the_same_in_the_same_order(json_report) -> None:  # type: ignore[no-untyped-def]
    text = json_report.markdown
    heads = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert heads == [
        "Scores", "Training", "Worst examples", "What was set aside, and why", "Data and split",
        "Settings and versions", "Time and memory", "What is unchecked", "Next",
    ]  # fmt: skip
    assert text.startswith("# support-desk: Ship\n")
    assert "The goal is met: field F1" in text
    assert "twice told" in text
    assert "| 36 |" in text
    assert "best, kept" in text
    assert "A little general ability was lost: +0.31. It may not matter." in text
    assert "| label | \\<b\\>bold\\</b\\> | 4 | 2.000 → 1.250 | +0.75 (−0.25 to +1.00) | 25% → 75% |" in text
    assert "| label | too few rows each, together | 1 | 2.000 → 1.000 | +1.00 | 0% → 100% |" in text


def test_what_users_and_models_wrote_is_escaped(json_report) -> None:  # type: ignore[no-untyped-def]
    html = json_report.html
    assert "script" not in checked(html).tags
    assert "img" not in checked(html).tags
    assert str(escape("<script>alert('x')</script>")) in html
    outside = re.sub(r"(`{3,})\w*\n.*?\n\1", "", json_report.markdown, flags=re.DOTALL)
    assert "<script" not in outside


def test_the_page_needs_nothing_from_outside(json_report) -> None:  # type: ignore[no-untyped-def]
    checker = checked(json_report.html)
    assert {"link", "script", "img", "iframe"}.isdisjoint(checker.tags)
    assert checker.links
    assert all(link.startswith("#") for link in checker.links)
    assert {link[1:] for link in checker.links} <= set(checker.ids)
    style = re.search(r"<style>(.*?)</style>", json_report.html, flags=re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "prefers-color-scheme: dark" in style[1]
    assert "@media print" in style[1]


def test_the_report_is_well_formed_for_labels_and_text_too(project, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    labels = [(f"ticket {number}", "ab"[number % 2]) for number in range(12)]
    one = project.run(project.goal("label", labels=("a", "b")), labels, ["a"] * 12, ["b"] * 12)
    assert "Most frequent mix-ups" in one.html
    assert "Most frequent mix-ups" in one.markdown
    assert "No goal was set" in one.html
    checked(one.html)
    other = type(project)(tmp_path_factory.mktemp("text"))
    prose = [(f"facts {number}", "warm grey wool") for number in range(12)]
    two = other.run(other.goal("text", success=[("chrf", 0.9)]), prose, ["cold"] * 12, ["warm wool"] * 12)
    assert "Do not ship" in two.html
    assert "Length ratio" in two.html
    assert "0.67×" in two.html
    checked(two.html)


def test_a_tuned_model_without_a_fault_has_no_worst_examples(project) -> None:  # type: ignore[no-untyped-def]
    rows = [(f"ticket {number}", "ab"[number % 2]) for number in range(12)]
    made = project.run(project.goal("label", labels=("a", "b")), rows, ["a"] * 12, ["a", "b"] * 6)
    assert made.report.facts["worst"] == []
    assert "got every test row right" in made.html
    assert "got every test row right" in made.markdown


def test_no_date_stands_in_the_report_unless_it_is_given(project) -> None:  # type: ignore[no-untyped-def]
    rows = [(f"ticket {number}", "ab"[number % 2]) for number in range(12)]
    made = project.run(project.goal("label", labels=("a", "b")), rows, ["a"] * 12, ["a"] * 12)
    assert not re.search(r"20[23]\d-|\b20[23]\d\b", re.sub(r"<style>.*?</style>", "", made.html, flags=re.DOTALL))


def test_the_given_date_stands_in_both_reports(json_report) -> None:  # type: ignore[no-untyped-def]
    assert "1 May 2031" in json_report.html
    assert "1 May 2031" in json_report.markdown


def test_markdown_text_is_inert() -> None:
    assert inline("a|b *c* <d>\n`e`") == r"a\|b \*c\* \<d\> \`e\`"
    assert fenced("x ```` y", "text").splitlines()[0] == "`````text"
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_words_that_differ_are_marked_and_the_rest_is_not() -> None:
    spans = differing("we send a red cap today", "we send a blue cap today")
    assert [(span.text, span.off) for span in spans if span.off] == [("red", True)]
    assert "".join(span.text for span in spans) == "we send a red cap today"


def test_text_that_cannot_be_written_or_seen_is_replaced_and_long_text_says_what_is_left_out() -> None:
    assert readable("a\ud800b\x00c\n") == "a?b\ufffdc\n"
    assert clipped("x" * 30, 10) == "x" * 10 + " … (20 more characters)"


def test_ticks_are_round_and_reach_the_end() -> None:
    assert ticks(0, 2.2, 5) == [0, 1, 2, 3]
    assert ticks(0, 480, 6) == [0, 100, 200, 300, 400, 500]
    assert ticks(0, 0.031, 5) == [0, 0.01, 0.02, 0.03, 0.04]
    assert ticks(0, 0, 5) == [0, 1]


def test_a_long_curve_is_thinned_and_keeps_its_mean() -> None:
    points_ = [(float(step), float(step % 7)) for step in range(10_000)]
    found = thinned(points_)
    assert len(found) <= 240
    assert sum(value for _, value in found) / len(found) == pytest.approx(3, abs=0.05)


def test_a_chart_draws_each_series_and_marks_the_best_step() -> None:
    series = [
        Series("train", "training", ((1, 2.0), (2, 1.0))),
        Series("validation", "validation", ((0, 2.0), (2, 1.5))),
    ]
    svg = line_chart(series, best_step=2)
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 2
    assert "best step: 2, kept" in svg
    assert line_chart([], best_step=None) == ""


def test_numbers_are_written_for_people() -> None:
    assert number("accuracy", 0.9134) == "91.3%"
    assert number("length_ratio", 1.04) == "1.04×"
    assert points(-0.0512) == "−5.1"
    assert [seconds(value) for value in (0.25, 3.14, 201, 8000)] == ["250 ms", "3.1 s", "3 min 21 s", "2 h 13 min"]
