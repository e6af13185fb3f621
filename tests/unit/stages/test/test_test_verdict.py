"""The verdict: ship, do not ship, not enough evidence, and why; and whether tuning was worth it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tunesmith.allowed_code import allow
from tunesmith.errors import Faults, InputError
from tunesmith.products import Criterion, Forgetting, GoalSheet, Rule
from tunesmith.scoring.intervals import score
from tunesmith.scoring.measure import metrics_of
from tunesmith.scoring.statistic import Mean
from tunesmith.stages.test.criteria import judge_all, needed
from tunesmith.stages.test.harm import forgot
from tunesmith.stages.test.scored import Scored

LABELS = ("billing", "delivery")


def rows(n: int) -> list[tuple[str, str]]:
    return [(f"ticket {number}", LABELS[number % 2]) for number in range(n)]


def answers(n: int, right: int) -> list[str]:
    """The first ``right`` of ``n`` answers are right."""
    return [LABELS[(number + (number >= right)) % 2] for number in range(n)]


def label_goal(project, *success, **more):  # type: ignore[no-untyped-def]
    return project.goal("label", labels=LABELS, success=success, **more)


def test_the_goal_is_met_when_the_whole_interval_reaches_it(project) -> None:  # type: ignore[no-untyped-def]
    made = project.run(label_goal(project, ("accuracy", 0.8)), rows(100), answers(100, 50), answers(100, 95))
    verdict = made.report.verdict
    assert (verdict["code"], verdict["criteria"][0]["state"]) == ("met", "met")
    assert verdict["words"].startswith("Ship. The goal is met: accuracy is 95.0% (95% interval ")
    assert verdict["criteria"][0]["low"] >= 0.8
    assert verdict["rows_needed"] is None
    assert (verdict["decision"], made.counts["verdict"]) == ("ship", "ship")


def test_the_goal_is_not_met_when_the_whole_interval_misses_it(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, ("accuracy", 0.9), ("macro_f1", 0.3))
    verdict = project.run(goal, rows(100), answers(100, 50), answers(100, 70)).report.verdict
    assert verdict["code"] == "not_met"
    assert [one["state"] for one in verdict["criteria"]] == ["not_met", "met"]
    assert "1 of 2 criteria missed: accuracy is 70.0%" in verdict["words"]


def test_too_few_examples_says_how_many_would_do(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, ("accuracy", 0.8))
    verdict = project.run(goal, rows(20), answers(20, 8), answers(20, 18)).report.verdict
    assert verdict["code"] == "too_few_examples"
    assert verdict["decision"] == "not_enough_evidence"
    assert (verdict["rows_needed"], verdict["rows_needed_cautious"]) == (113, 494)
    assert verdict["words"].startswith("Not enough evidence. 20 test rows are too few to say: accuracy is 90.0%")
    # the fixture's test part is 20 of 60 rows
    wanted = (
        "With 113 test rows (about 339 examples in all) there are 8 chances in 10 to settle it, if the true value is "
    )
    assert f"{wanted}what it is now; with 494, if the truth lies half as far" in verdict["words"]


def test_a_value_below_the_threshold_would_be_settled_as_missed(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, ("accuracy", 0.8))
    verdict = project.run(goal, rows(20), answers(20, 8), answers(20, 14)).report.verdict
    assert verdict["code"] == "too_few_examples"
    assert "to settle it as missed, if the true value" in verdict["words"]


def test_nobody_can_prove_100_percent(project) -> None:  # type: ignore[no-untyped-def]
    verdict = project.run(
        label_goal(project, ("accuracy", 1.0)), rows(30), answers(30, 9), answers(30, 30)
    ).report.verdict
    assert (verdict["code"], verdict["rows_needed"]) == ("too_few_examples", None)
    assert "No number of rows can prove 100%" in verdict["words"]


def test_without_criteria_there_is_no_goal_and_the_comparison_still_stands(project) -> None:  # type: ignore[no-untyped-def]
    verdict = project.run(label_goal(project), rows(60), answers(60, 20), answers(60, 55)).report.verdict
    assert (verdict["code"], verdict["criteria"]) == ("no_goal", [])
    assert (verdict["decision"], verdict["headline"]) == ("not_enough_evidence", "No goal was set")
    assert verdict["comparison"]["code"] == "better"


def test_tuning_that_helps_is_said_to_help_with_its_interval(project) -> None:  # type: ignore[no-untyped-def]
    made = project.run(label_goal(project), rows(60), answers(60, 20), answers(60, 55))
    comparison = made.report.verdict["comparison"]
    difference = next(one for one in made.report.differences if one["metric"] == "accuracy")
    assert comparison["words"].startswith("Tuning beats the base with your prompt: accuracy 91.7% against 33.3%")
    assert (difference["left"], difference["right"]) == ("tuned", "base")
    assert difference["low"] > 0
    assert difference["test"] == "mcnemar_exact"


def test_a_tuned_model_that_is_no_better_is_said_not_to_be_needed(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, ("accuracy", 0.5))
    comparison = project.run(goal, rows(60), answers(60, 54), answers(60, 55)).report.verdict["comparison"]
    assert comparison["code"] == "not_shown"
    assert "not shown to be better" in comparison["words"]
    assert "you do not need this model" in comparison["words"]
    assert comparison["rival_is_enough"]
    assert "The base with your prompt meets the goal on its own" in comparison["words"]


def test_a_tuned_model_that_is_worse_must_not_be_shipped(project) -> None:  # type: ignore[no-untyped-def]
    verdict = project.run(label_goal(project), rows(60), answers(60, 55), answers(60, 20)).report.verdict
    assert (verdict["code"], verdict["decision"], verdict["comparison"]["code"]) == ("no_goal", "do_not_ship", "worse")
    assert verdict["words"].startswith("Do not ship. ")
    assert "It is worse than the base with your prompt: accuracy by −58.3 points" in verdict["words"]


def test_unknown_metrics_are_refused_all_at_once_before_any_answer_is_asked_for(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, ("rouge_l", 0.5), ("f1", 0.5), ("accuracy", 0.5))
    with pytest.raises(Faults) as caught:
        project.run(goal, rows(20), [], [])
    assert [fault.code for fault in caught.value.faults] == ["unknown_metric", "unknown_metric"]
    assert "accuracy, macro_f1" in caught.value.faults[0].fix


def test_the_primary_metric_is_the_goals_first_and_else_the_outputs_own(project) -> None:  # type: ignore[no-untyped-def]
    named = project.run(label_goal(project, ("macro_f1", 0.5)), rows(30), answers(30, 9), answers(30, 30))
    assert named.counts["primary"]["metric"] == "macro_f1"
    assert named.counts["primary"]["tuned"] == 1.0


@pytest.mark.parametrize(("output", "metric"), [("label", "accuracy"), ("json", "field_f1"), ("text", "rouge_l")])
def test_each_output_has_a_metric_of_its_own(output: str, metric: str) -> None:
    from tunesmith.stages.test.criteria import primary_metric

    assert primary_metric(GoalSheet("text", output, "")) == metric  # type: ignore[arg-type]
    odd = GoalSheet("text", "text", "", success=(Criterion("length_ratio", 0.9), Criterion("chrf", 0.5)))
    assert primary_metric(odd) == "chrf"  # a ratio is not compared


def test_a_field_of_the_schema_can_be_a_criterion() -> None:
    from tunesmith.stages.test.criteria import check_criteria

    goal = GoalSheet("text", "json", "", success=(Criterion("field_f1.urgency", 0.9),))
    check_criteria(goal, metrics_of("json", ['{"urgency": "low"}']))
    with pytest.raises(InputError, match=r"field_f1\.urgency"):
        check_criteria(goal, metrics_of("json", ['{"category": "low"}']))


def test_handing_off_tells_how_many_go_to_a_person_and_how_good_the_rest_is(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, unknown="hand_off", confidence=0.6)
    sure = [0.9] * 30 + [0.3] * 10
    made = project.run(goal, rows(40), answers(40, 10), answers(40, 30), confidence=sure)
    found = made.report.facts["hand_off"]
    assert (found["below"], found["rows"]) == (10, 40)
    assert (found["rest"]["value"], found["rest"]["n"]) == (1.0, 30)
    assert "10 of 40 rows (25.0%)" in found["words"]
    assert "accuracy is 100.0%" in made.html


def test_a_rule_in_python_is_asked_of_the_answers_that_are_not_handed_off(project, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    code = "def even_is_billing(answer, input):\n    return int(input.split()[1]) % 2 == (answer == 'delivery')\n"
    allow(code)
    rules = (Rule(python="checks.py:even_is_billing", code=code),)
    goal = label_goal(project, ("rules_kept", 0.5), unknown="hand_off", confidence=0.6, rules=rules)
    sure = [0.9] * 30 + [0.3] * 10
    found = project.run(goal, rows(40), answers(40, 10), answers(40, 27), confidence=sure).report.facts["hand_off"]
    assert (found["rest"]["metric"], found["rest"]["value"], found["rest"]["n"]) == ("rules_kept", 0.9, 30)


def test_handing_all_off_leaves_no_score(project) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, unknown="hand_off", confidence=1.0)
    found = project.run(goal, rows(20), answers(20, 10), answers(20, 20)).report.facts["hand_off"]
    assert (found["below"], found["rest"]) == (20, None)


def test_answering_anyway_hands_nothing_off(project) -> None:  # type: ignore[no-untyped-def]
    assert project.run(label_goal(project), rows(20), answers(20, 10), answers(20, 20)).report.facts["hand_off"] is None


def test_a_goal_that_the_commonest_answer_meets_is_said_to_ask_too_little(project) -> None:  # type: ignore[no-untyped-def]
    first = "seen 1001"  # the training rows' answers all differ, so the first of them stands for all
    goal = project.goal("label", labels=(first, "other"), success=(("accuracy", 0.5),))
    always = [(text, first) for text, _ in rows(60)]
    comparison = project.run(goal, always, ["other"] * 60, [first] * 60).report.verdict["comparison"]
    assert comparison["against"] == "base"
    assert comparison["words"].endswith("the goal asks too little.")
    assert not comparison["rival_is_enough"]


FORGOT = Forgetting("much_lost", "Much general ability was lost: +1.40.", "", 24, 0.6, 2.0, 1.1, 1.7, 0.4)


def test_much_general_ability_lost_forbids_to_ship_unless_that_is_left_aside(project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    goal = label_goal(project, ("accuracy", 0.8))
    told = (goal, rows(100), answers(100, 50), answers(100, 95))
    verdict = project.run(*told, trained={"forgetting": FORGOT}).report.verdict
    assert (verdict["code"], verdict["decision"], verdict["forgot"]) == ("met", "do_not_ship", True)
    assert verdict["words"].startswith(
        "Do not ship. Much general ability was lost: +1.40. If the model is to do its task"
    )
    (tmp_path / "other").mkdir()
    again = type(project)(tmp_path / "other")
    verdict = again.run(*told, trained={"forgetting": FORGOT}, forgetting=False).report.verdict
    assert (verdict["decision"], verdict["forgot"]) == ("ship", False)


@pytest.mark.parametrize("change", [{"code": "little_lost"}, {"low": -0.1}])
def test_a_little_lost_or_a_loss_that_is_not_shown_forbids_nothing(change) -> None:  # type: ignore[no-untyped-def]
    assert forgot(FORGOT)
    assert forgot(replace(FORGOT, **change)) == ""
    assert forgot(None) == ""


def judged(values, at_least, n=100):  # type: ignore[no-untyped-def]
    """Each criterion on a share of n rows of its own."""
    goal = GoalSheet("text", "text", "", success=tuple(Criterion(f"m{at}", at_least) for at in range(len(values))))
    statistics = {f"m{at}": Mean((np.arange(n) < share * n).astype(float)) for at, share in enumerate(values)}
    scored = Scored([], statistics, [score(name, one) for name, one in statistics.items()], np.zeros(n))
    return judge_all(goal, scored), scored


def test_a_miss_among_several_must_be_clearer_than_a_miss_alone() -> None:
    [alone], _ = judged([0.71], 0.8)
    assert (alone.state, alone.high < 0.8) == ("not_met", True)
    several, _ = judged([0.71, 0.95, 0.95, 0.95], 0.8)
    assert [one.state for one in several] == ["undecided", "met", "met", "met"]
    assert several[0].p_missed == pytest.approx(4 * alone.p_missed)
    assert "not shown after correction for all criteria" in several[0].words


def test_where_the_exact_test_is_stricter_than_the_interval_that_is_said() -> None:
    [one], _ = judged([0.88], 0.8)
    assert (one.state, one.low >= 0.8) == ("undecided", True)
    assert one.words.endswith("; the exact test is stricter than the interval here: one-sided p = 0.0253")


def test_all_are_met_when_each_is_met_by_itself() -> None:
    alone, _ = judged([0.89], 0.8)
    several, _ = judged([0.89] * 6, 0.8)
    assert {one.state for one in (*alone, *several)} == {"met"}


def test_several_open_criteria_need_more_rows_than_one_and_a_low_one_settles_it_as_missed() -> None:
    counts = [needed(*judged([0.85] * number, 0.8)) for number in (1, 3)]
    assert all(counts)
    assert counts[0].rows < counts[1].rows  # type: ignore[union-attr]
    assert not counts[1].as_missed  # type: ignore[union-attr]
    low = needed(*judged([0.85, 0.76], 0.8))
    assert low is not None
    assert low.as_missed
    assert needed(*judged([0.8, 0.85], 0.8)) is None  # one lies on the threshold itself
