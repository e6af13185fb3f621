"""The goal's rules: each says what it asks for, all broken ones are told, and no pattern runs for ever."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import Project
from tunesmith.errors import Faults, InputError
from tunesmith.products import Rule
from tunesmith.scoring.measure import measure, metrics_of
from tunesmith.scoring.rules import RuleCheck


def faults(answer: str, *rules: Rule) -> list[str]:
    return RuleCheck(rules).faults(answer)


@pytest.mark.parametrize(
    ("rule", "keeps", "breaks"),
    [
        (Rule(contains=("order number",)), "Your Order  number is 7.", "Your order is number 7."),
        (Rule(never_contains=("art",)), "The party starts at nine.", "We sell Art."),
        (Rule(never_contains=("c++",)), "We use C.", "We use C++!"),
        (Rule(starts_with=("Hi", "Hello")), "Hello Anna", "Dear Anna"),
        (Rule(ends_with=("trails!",)), "Happy trails!\n", "Happy trails"),
        (Rule(one_of=("yes", "no")), " yes ", "maybe"),
        (Rule(matches=r"\d{4}"), "in 2024", "last year"),
        (Rule(never_matches=r"[A-Z]{4}"), "now", "NOWHERE"),
        (Rule(at_least_words=2), "two words", "one"),
        (Rule(at_most_words=2), "two words", "now three words"),
        (Rule(at_most_words=3), "我很好", "我很好吗"),
        (Rule(language="en"), "We send the missing parts of the tent to you today.",
         "Wir senden Ihnen die fehlenden Teile des Zeltes noch heute zu."),
    ],
)  # fmt: skip
def test_a_rule_passes_what_keeps_to_it_and_tells_what_does_not(rule: Rule, keeps: str, breaks: str) -> None:
    assert faults(keeps, rule) == []
    assert len(faults(breaks, rule)) == 1


def test_all_broken_rules_are_told() -> None:
    assert len(faults("no", Rule(at_least_words=5, contains=("tent",)), Rule(matches="x"))) == 3


def test_a_rule_about_a_field_looks_at_that_field_alone() -> None:
    check = RuleCheck([Rule(field="reply", never_contains=("asap",))], is_json=True)
    assert check.faults('{"urgency": "asap", "reply": "Soon."}') == []
    assert check.faults('{"reply": "ASAP."}') == ['reply: "ASAP" must not be there']
    assert check.faults('{"urgency": "low"}') == []
    assert len(RuleCheck([Rule(never_contains=("asap",))], is_json=True).faults('{"urgency": "asap"}')) == 1


def test_a_pattern_that_runs_wild_is_stopped_and_named() -> None:
    with pytest.raises(InputError) as caught:
        faults("a" * 60 + "b", Rule(), Rule(matches=r"(a|aa)+$"))
    assert (caught.value.code, caught.value.where) == ("slow_pattern", "tunesmith.yaml: goal.rules.1.matches")


@given(st.text(max_size=60), st.text(min_size=1, max_size=6).filter(str.strip))
def test_any_answer_can_be_held_against_any_words(answer: str, words: str) -> None:
    texts = (words,)
    rule = Rule(contains=texts, starts_with=texts, ends_with=texts, one_of=texts, at_least_words=1, at_most_words=3)
    assert all(isinstance(fault, str) for fault in faults(answer, rule))
    assert faults(words, Rule(contains=texts)) == []


def test_the_share_of_answers_that_keep_the_rules_is_measured() -> None:
    rules = [Rule(never_contains=("asap",)), Rule(at_most_words=3)]
    found = measure("text", ["x"] * 4, ["Soon.", "ASAP!", "one two three four", "a b c"], rules=rules)["rules_kept"]
    assert (found.estimate(), found.rows) == (0.5, 4)
    answers = ['{"reply": "Soon."}', "no JSON", '{"reply": "ASAP."}', '"Soon."']
    about = [Rule(field="reply", never_contains=("asap",))]
    assert measure("json", ['{"reply": "x"}'] * 4, answers, rules=about)["rules_kept"].estimate() == 0.25
    assert metrics_of("json", ['{"reply": "x"}'], rules=about)[-1] == "rules_kept"
    assert "rules_kept" not in measure("text", ["x"], ["y"])


def test_a_pattern_that_an_answer_makes_run_wild_counts_as_not_kept() -> None:
    found = measure("text", ["x", "x"], ["aaa", "a" * 60 + "b"], rules=[Rule(matches=r"(a|aa)+$")])["rules_kept"]
    assert found.estimate() == 0.5


def project(tmp_path: Path, goal: str) -> Project:
    made = Project.create(tmp_path / "desk", input="text", output="text")
    made.file.write_text(f"version: 1\nname: desk\ngoal:\n{goal}", encoding="utf-8")
    return made


def test_all_faults_of_the_rules_are_told_at_once(tmp_path: Path) -> None:
    rules = """\
  rules:
    - {matches: "(a"}
    - {language: xy}
    - {field: reply}
    - {at_least_words: 9, at_most_words: 3}
    - {contains: [" "]}
    - {never_contians: [asap]}
"""
    with pytest.raises(Faults) as caught:
        project(tmp_path, rules).read()
    told = str([fault.what for fault in caught.value.faults])
    assert len(caught.value.faults) == 6
    for words in (
        "no regular expression",
        "'xy'",
        "asks for nothing",
        "no answer can keep",
        "is empty",
        "never_contians",
    ):
        assert words in told


def test_one_text_may_stand_for_a_list_of_one(tmp_path: Path) -> None:
    settings = project(tmp_path, "  rules: [{ends_with: trails!}]\n").read()
    assert settings.goal.rules[0].given == {"ends_with": ["trails!"]}


def test_a_changed_rule_makes_clean_stale_and_a_changed_criterion_does_not(tmp_path: Path) -> None:
    made = project(tmp_path, "  output: text\ncollect: [{path: rows.jsonl}]\n")
    rows = [{"prompt": f"question {at}", "completion": f"answer {at} it is."} for at in range(12)]
    (made.root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    made.run(to="clean")

    def clean() -> str:
        made.run(to="goal")
        return next(stage.state for stage in made.status() if stage.stage == "clean")

    text = made.file.read_text(encoding="utf-8")
    made.file.write_text(
        text.replace("  output: text\n", "  output: text\n  success: [{metric: chrf, at_least: 0.1}]\n")
    )
    assert clean() == "made"
    made.file.write_text(text.replace("text\n", "text\n  rules: [{at_most_words: 3}]\n"), encoding="utf-8")
    assert clean() == "stale"
    assert asdict(made.product("goal").rules[0])["at_most_words"] == 3


def test_fixes_are_written_into_the_project_file_and_unknown_ones_refused(tmp_path: Path) -> None:
    made = project(tmp_path, "  output: text  # kept\n")
    assert made.fix(["quotes", "markup"])[-2:] == ["quotes", "markup"]
    assert made.read().clean.fix == ["encoding", "label_spelling", "json_layout", "quotes", "markup"]
    assert "# kept" in made.file.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="unknown_fix"):
        made.fix(["spelling"])
