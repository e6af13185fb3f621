"""Beside the version in use: rows in pairs, what got better and worse, and the words in verdict and report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tunesmith.allowed_code import allow
from tunesmith.products import Rule

LABELS = ("billing", "delivery")


def rows(n: int, first: int = 0) -> list[tuple[str, str]]:
    return [(f"ticket {number}", LABELS[number % 2]) for number in range(first, first + n)]


def answers(n: int, right: int, first: int = 0) -> list[str]:
    return [LABELS[(first + number + (number >= right)) % 2] for number in range(n)]


@pytest.fixture
def twice(project: Any, tmp_path: Path) -> Any:
    """Test two models one after the other: the first is in use when the second is tested."""

    def run(before: tuple[Any, Any], now: tuple[Any, Any], success: Any = (("accuracy", 0.5),), **more: Any) -> Any:
        made = []
        for name, (test, given), facts in (("first", before, {}), ("second", now, None)):
            folder = tmp_path / name
            folder.mkdir()
            maker = type(project)(folder)
            told = {"in_use": made[0].folder, "in_use_round": 2} if facts is None else facts
            wanted = success if made else more.get("wanted_before", success)
            goal = maker.goal(more.get("output", "label"), labels=LABELS, success=wanted, rules=more.get("rules", ()))
            made.append(maker.run(goal, test, answers(len(test), 0), given, facts=told))
        return made[1]

    return run


def test_a_model_that_lost_rows_is_held_back_with_the_rows_named(twice: Any) -> None:
    made = twice((rows(80), answers(80, 76)), (rows(80), answers(80, 60)))
    verdict, found = made.report.verdict, made.report.facts["in_use"]
    assert (verdict["code"], verdict["decision"]) == ("met", "do_not_ship")
    assert "Do not ship. It is worse than the version in use: accuracy by −20.0 points" in verdict["words"]
    assert [one["code"] for one in verdict["harms"] if one["shown"]] == ["worse_than_in_use"]
    assert (found["round"], found["rows"], found["new"], found["worse"], found["better"]) == (2, 80, 0, 16, 0)
    assert found["words"].startswith("The model is worse than the version in use (round 2): accuracy differs by −20.0")
    [first] = [one for one in found["told_worse"] if one["input"] == "ticket 60"]
    assert (first["reference"], first["before"], first["now"]) == ("billing", "billing", "delivery")
    for page in (made.html, made.markdown):
        assert "Beside the version in use" in page
        assert "16 rows got worse" in page
        assert "ticket 60" in page


def test_one_that_got_better_is_told_so_and_may_ship(twice: Any) -> None:
    made = twice((rows(80), answers(80, 60)), (rows(80), answers(80, 76)))
    assert made.report.verdict["decision"] == "ship"
    assert "16 rows got better, 0 rows got worse" in made.report.facts["in_use"]["words"]


def test_only_rows_that_both_were_asked_are_compared(twice: Any) -> None:
    made = twice((rows(60), answers(60, 60)), (rows(60, 20), answers(60, 60, 20)))
    found = made.report.facts["in_use"]
    assert (found["rows"], found["new"]) == (40, 20)
    assert found["differences"][0]["n"] == 40
    assert "20 test rows it was never asked." in found["words"]


def test_a_row_whose_answer_was_corrected_is_held_against_the_corrected_answer_for_both(twice: Any) -> None:
    corrected = [(text, "billing") for text, _ in rows(40)]
    made = twice((rows(40), answers(40, 40)), (corrected, ["billing"] * 40))
    found = made.report.facts["in_use"]
    assert (found["rows"], found["better"], found["worse"]) == (40, 20, 0)
    assert found["differences"][0]["value"] == pytest.approx(0.5)


def test_where_no_row_is_shared_nothing_is_compared(twice: Any) -> None:
    made = twice((rows(40), answers(40, 40)), (rows(40, 100), answers(40, 40)))
    assert "was asked none of these test rows" in made.report.facts["in_use"]["words"]
    assert made.report.verdict["decision"] == "ship"
    assert "Beside the version in use" in made.html


def test_a_loss_that_may_be_chance_is_told_and_keeps_a_model_from_shipping_when_it_is_nearly_shown(twice: Any) -> None:
    chance = twice((rows(80), answers(80, 76)), (rows(80), answers(80, 74)))
    assert chance.report.verdict["decision"] == "ship"
    assert "not shown to differ from the version in use" in chance.report.facts["in_use"]["words"]


def test_several_harms_are_corrected_together() -> None:
    from tunesmith.scoring.paired import Difference
    from tunesmith.stages.test.harm import harms
    from tunesmith.stages.test.rivals import THE_BASE

    hint = Difference("accuracy", "tuned", "in use", -0.03, 400, -0.058, -0.001, 0.04, "mcnemar_exact")
    fine = Difference("accuracy", "tuned", "base", 0.2, 400, 0.1, 0.3, 0.001, "mcnemar_exact")
    found = harms(fine, THE_BASE, [hint], [], "accuracy")
    assert [(one.code, one.suspected, one.shown) for one in found if one.p < 1] == [("worse_than_in_use", True, False)]
    clear = Difference("accuracy", "tuned", "in use", -0.06, 400, -0.09, -0.03, 0.001, "mcnemar_exact")
    assert [one.code for one in harms(fine, THE_BASE, [clear], [], "accuracy") if one.shown] == ["worse_than_in_use"]


def test_a_rule_in_python_judges_both_by_what_was_asked(
    twice: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    code = "def even_is_billing(answer, input):\n    return int(input.split()[1]) % 2 == (answer == 'delivery')\n"
    allow(code)
    rules = (Rule(python="checks.py:even_is_billing", code=code),)
    success = (("accuracy", 0.5), ("rules_kept", 0.5))
    made = twice((rows(80), answers(80, 76)), (rows(80), answers(80, 60)), success, rules=rules)
    told = {one["metric"]: one["value"] for one in made.report.facts["in_use"]["differences"]}
    assert told["rules_kept"] == pytest.approx(-0.2)


def test_a_field_that_no_shared_row_has_leaves_the_rows_to_be_compared_as_a_whole(twice: Any) -> None:
    plain = [(f"ticket {number}", '{"team": "billing"}') for number in range(40)]
    fuller = [(f"new {number}", '{"team": "billing", "urgency": "low"}') for number in range(40)]
    said = [text for _, text in plain]
    made = twice(
        (plain, said),
        (plain + fuller, said + [text for _, text in fuller]),
        (("field_f1.urgency", 0.5),),
        output="json",
        wanted_before=(),
    )
    found = made.report.facts["in_use"]
    assert (found["rows"], found["new"]) == (40, 40)
    assert [one["metric"] for one in found["differences"]] == ["field_f1"]
    assert "not shown to differ" in found["words"]
