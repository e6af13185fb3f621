"""Rules by reading level, JSON Schema and Python: each says what is wrong, and no code runs that nobody allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes.bad_project import Command, write_files
from tunesmith import Project, allowed_code
from tunesmith.errors import InputError
from tunesmith.products import Rule
from tunesmith.scoring.measure import measure
from tunesmith.scoring.reading_level import grade, syllables
from tunesmith.scoring.rules import RuleCheck

POLITE = """\
def polite(answer, input):
    if "cannot" in input:
        return "a refusal" if "no" in answer else True
    return "please" in answer

def odd(answer, input):
    return {"x": 1}[answer]
"""
SECRET = "raise SystemExit('this ran')"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    allowed_code.allow(POLITE)


@pytest.mark.parametrize(
    ("word", "count"),
    [("time", 1), ("table", 2), ("asked", 1), ("wanted", 2), ("boxes", 2), ("times", 1), ("idea", 3), ("nation", 2),
     ("usual", 3), ("create", 2), ("quickly", 2), ("readability", 5), ("don't", 1), ("the", 1), ("area", 3)],
)  # fmt: skip
def test_syllables_are_those_of_a_dictionary(word: str, count: int) -> None:
    assert syllables(word) == count


def test_the_grade_is_the_printed_formula() -> None:
    text = "The cat sat on the mat. The dog ran to the red barn."  # 13 words, 2 sentences, 13 syllables
    assert grade(text) == pytest.approx(0.39 * 13 / 2 + 11.8 - 15.59)
    hard = (
        "The utilization of multidimensional organizational methodologies necessitates considerable interdepartmental "
        "communication, particularly regarding accountability."
    )
    assert grade(hard) > 20  # type: ignore[operator]
    assert grade("Too short.") is None
    check = RuleCheck([Rule(at_most_grade=8)])
    assert check.faults(text) == []
    [fault] = check.faults(hard)
    assert fault.startswith("it reads like school grade ")
    assert fault.endswith(", above 8")


@given(st.text(max_size=200))
def test_every_text_has_a_grade_or_none(text: str) -> None:
    found = grade(text)
    assert found is None or -20 < found < 100_000


SCHEMA = {"type": "object", "required": ["team"], "properties": {"team": {"enum": ["a", "b"]}}}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ('{"team": "a"}', None),
        ('{"team": "c"}', "$.team: 'c' is not one of ['a', 'b']"),
        ("{}", "$: 'team' is a required property"),
        ("Dear Sir", '"Dear Sir" is no JSON'),
    ],
)
def test_an_answer_must_fit_the_schema_of_a_rule(answer: str, fault: str | None) -> None:
    assert RuleCheck([Rule(schema=SCHEMA)]).faults(answer) == ([fault] if fault else [])


def test_a_schema_may_be_about_one_field() -> None:
    rule = Rule(field="tags", schema={"type": "array", "maxItems": 1})
    check = RuleCheck([rule], is_json=True)
    assert check.faults('{"tags": ["x"]}') == []
    assert check.faults('{"tags": ["x", "y"]}') == ["tags: $: ['x', 'y'] is too long"]


def python_rule(name: str, code: str = POLITE) -> Rule:
    return Rule(python=f"checks.py:{name}", code=code)


@pytest.mark.usefixtures("trusted")
def test_a_function_is_called_with_answer_and_input() -> None:
    check = RuleCheck([python_rule("polite")])
    assert check.faults("yes please", None, "may I") == []
    assert check.faults("yes", None, "may I") == ["checks.py:polite says no"]
    assert check.faults("no", None, "cannot pay") == ["a refusal"]
    rules = [python_rule("polite")]
    kept = measure("text", ["x"] * 2, ["please", "no"], rules=rules, inputs=["a", "b"])["rules_kept"]
    assert kept.estimate() == 0.5
    with pytest.raises(ValueError, match="inputs"):
        measure("text", ["x"], ["please"], rules=rules)


@pytest.mark.usefixtures("trusted")
def test_a_function_that_fails_is_told_with_its_line_and_counts_as_broken_in_the_test() -> None:
    rule = python_rule("odd")
    with pytest.raises(InputError, match=r"checks\.py:7: .*KeyError.*rule_failed"):
        RuleCheck([rule]).faults("why")
    with pytest.raises(InputError, match="rule_failed"):
        RuleCheck([rule]).faults("x")  # it returned a number
    assert measure("text", ["x"], ["why"], rules=[rule], inputs=[""])["rules_kept"].estimate() == 0.0
    with pytest.raises(InputError, match="no_rule_code"):
        RuleCheck([python_rule("nobody")])


def test_code_that_nobody_allowed_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="code_not_allowed"):
        RuleCheck([python_rule("polite", SECRET)])
    allowed_code.allow(POLITE)
    with pytest.raises(InputError, match="code_not_allowed"):
        RuleCheck([python_rule("polite", POLITE + "\n")])


SETTINGS = """\
version: 1
name: ruled
goal:
  input: text
  output: text
  rules: [{python: "checks.py:polite"}, {schema: {type: string}, field: x}]
collect: [{path: rows.csv, input: text, output: reply}]
"""


def test_a_project_asks_before_it_runs_code_and_again_when_the_code_changes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    rows = "text,reply\n" + "".join(f"row {n} cat,{'yes please' if n % 3 else 'go away'} {n}\n" for n in range(30))
    settings = SETTINGS.replace(", {schema: {type: string}, field: x}", "")
    folder = write_files(tmp_path / "p", settings, {"rows.csv": rows, "checks.py": POLITE})
    command = Command(tmp_path / "cache")
    assert "goal.rules.0.python" in command.refuse(folder, "run", "--to", "clean")
    ended = command.run(folder, "run", "--to", "clean", "--allow-code")
    assert (ended.code, "Allowed until it changes: checks.py:polite" in ended.out) == (0, True), ended.said
    clean = Project.open(folder).product("clean")
    assert clean.counts["by_code"]["rules"] == 10
    assert command.run(folder, "run", "--to", "clean").code == 0
    (folder / "checks.py").write_text(POLITE + "\n# changed\n")
    assert "code_not_allowed" in command.refuse(folder, "run", "--to", "clean")
    # not even artifacts that came with a project make it run
    with pytest.raises(InputError, match="code_not_allowed"):
        RuleCheck([python_rule("polite", POLITE + "\n# changed\n")])


@pytest.mark.parametrize("place", ["../checks.py:polite", "/etc/checks.py:polite", "checks.py", "checks.txt:polite"])
def test_code_outside_the_project_is_no_rule(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="no_rule_code"):
        allowed_code.read(tmp_path, place, "goal.rules.0.python")


def test_a_rule_about_another_language_has_no_reading_level(tmp_path: Path) -> None:
    folder = write_files(tmp_path, SETTINGS.replace('python: "checks.py:polite"', "at_most_grade: 8, language: de"))
    with pytest.raises(InputError, match="knows English alone"):
        Project.open(folder)
