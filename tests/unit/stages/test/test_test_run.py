"""The stage on disk: the lock, the candidates, the files that products read, for all three outputs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tunesmith.errors import Cancelled, InputError, TestPartLocked, TunesmithError
from tunesmith.stages.context import Context
from tunesmith.stages.test.run import run
from tunesmith.stages.test.settings import TestSettings

SCHEMA = {
    "type": "object",
    "properties": {"category": {"enum": ["billing", "delivery"]}, "reply": {"type": "string"}},
    "required": ["category", "reply"],
}
TICKETS = [
    (f"ticket {number}", json.dumps({"category": "billing", "reply": f"We mend order {number} today."}))
    for number in range(20)
]
ANSWERS = [answer for _, answer in TICKETS]
LABELLED = [(f"ticket {number}", "ab"[number % 2]) for number in range(20)]


def labels(project, **more):  # type: ignore[no-untyped-def]
    return project.goal("label", labels=("a", "b"), **more)


def test_json_is_measured_free_and_with_the_schema_enforced(project) -> None:  # type: ignore[no-untyped-def]
    wrong = ['{"category": "billing", "reply": "?"}'] * 20
    made = project.run(
        project.goal("json", schema=SCHEMA), TICKETS, ["no JSON"] * 20, ANSWERS, enforced=(wrong, ANSWERS)
    )
    assert list(made.report.scores) == [
        "commonest answer", "base", "tuned", "base, schema enforced", "tuned, schema enforced",
    ]  # fmt: skip
    metrics = {name: {score.metric: score.value for score in scores} for name, scores in made.report.scores.items()}
    assert metrics["base"]["valid_json"] == 0.0
    assert metrics["base, schema enforced"]["valid_json"] == 1.0
    assert metrics["base, schema enforced"]["field_f1"] == 0.5
    assert set(metrics["tuned"].values()) == {1.0}
    assert made.counts["primary"] == {"metric": "field_f1", "base": 0.0, "tuned": 1.0}
    assert {(one["left"], one["right"]) for one in made.report.differences} == {
        ("tuned", "base"),
        ("tuned, schema enforced", "base, schema enforced"),
    }
    assert [(one["candidate"], one["enforced"]) for one in made.learner.asked] == [
        ("base", False), ("base", True), ("tuned", False), ("tuned", True),
    ]  # fmt: skip  # each model is loaded once; the free answers come first, to be used again


def test_the_schema_is_not_enforced_when_that_is_switched_off_or_there_is_none(project) -> None:  # type: ignore[no-untyped-def]
    goal = project.goal("json", schema=SCHEMA)
    made = project.run(goal, TICKETS, ANSWERS, ANSWERS, enforce_schema=False)
    assert list(made.report.scores) == ["commonest answer", "base", "tuned"]


def test_labels_are_measured_by_accuracy_and_macro_f1(project) -> None:  # type: ignore[no-untyped-def]
    tuned = ["a", "b"] * 9 + ["b", "a"]
    made = project.run(labels(project), LABELLED, ["a"] * 20, tuned)
    scores = {score.metric: score for score in made.report.scores["tuned"]}
    assert list(scores) == ["accuracy", "macro_f1"]
    assert (scores["accuracy"].value, scores["accuracy"].n) == (0.9, 20)
    assert scores["accuracy"].low < 0.9 < scores["accuracy"].high


def test_text_is_measured_by_likeness_and_length_and_the_ratio_is_not_compared(project) -> None:  # type: ignore[no-untyped-def]
    pairs = [(f"facts {number}", "a warm blanket of grey wool") for number in range(20)]
    made = project.run(project.goal("text"), pairs, ["quite another thing"] * 20, ["a warm blanket"] * 20)
    scores = {score.metric: score.value for score in made.report.scores["tuned"]}
    assert list(scores) == ["rouge_l", "chrf", "exact_match", "length_ratio"]
    assert scores["length_ratio"] == 0.5
    assert scores["rouge_l"] == pytest.approx(2 * 3 / (3 + 6))
    assert [one["metric"] for one in made.report.differences] == ["rouge_l", "chrf", "exact_match"]


def test_a_test_part_that_changed_since_it_was_locked_is_refused(project) -> None:  # type: ignore[no-untyped-def]
    goal = labels(project)
    inputs = project.inputs(goal, LABELLED)
    split = inputs["split"]
    changed = replace(split, facts={**split.facts, "test_sha256": "0" * 64})
    with pytest.raises(InputError) as caught:
        run({**inputs, "split": changed}, TestSettings(), _context(project), find_learner=lambda name: None)
    assert caught.value.code == "test_part_changed"
    assert not list((project.root / "out").iterdir())


def test_a_test_row_that_is_gone_is_a_changed_test_part(project) -> None:  # type: ignore[no-untyped-def]
    goal = labels(project)
    inputs = project.inputs(goal, LABELLED)
    lines = list(inputs["clean"].examples())
    from tunesmith.example_parquet import ExampleWriter

    gone = inputs["split"].ids("test")[0]
    with ExampleWriter(inputs["clean"].path / "examples.parquet") as writer:
        for example in lines:
            if example.id != gone:
                writer.add(example)
    with pytest.raises(InputError) as caught:
        run(inputs, TestSettings(), _context(project), find_learner=lambda name: None)
    assert caught.value.code == "test_part_changed"


def test_a_split_whose_leak_certificate_is_of_other_rows_is_refused(project) -> None:  # type: ignore[no-untyped-def]
    inputs = project.inputs(labels(project), LABELLED)
    path = inputs["split"].path / "certificate.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, "locks": {**told["locks"], "train": "0" * 64}}), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        run(inputs, TestSettings(), _context(project), find_learner=lambda name: None)
    assert caught.value.code == "certificate_of_other_data"
    path.unlink()
    (project.root / "out").rmdir()
    with pytest.raises(InputError) as caught:
        run(inputs, TestSettings(), _context(project), find_learner=lambda name: None)
    assert caught.value.code == "no_leak_certificate"


def test_only_a_holder_of_the_test_part_may_read_it(project) -> None:  # type: ignore[no-untyped-def]
    inputs = project.inputs(labels(project), LABELLED)
    inputs["split"] = replace(inputs["split"], readable=("train", "validation"))
    with pytest.raises(TestPartLocked):
        run(inputs, TestSettings(), _context(project), find_learner=lambda name: None)


def test_the_length_limit_is_half_as_long_again_as_the_longest_answer_seen_in_training(project) -> None:  # type: ignore[no-untyped-def]
    made = project.run(labels(project), LABELLED, ["a"] * 20, ["a"] * 20)
    assert {one["limit"] for one in made.learner.asked} == {22}  # the fixture's answers have 15 tokens
    assert made.report.facts["max_new_tokens"] == 22


def test_the_length_limit_is_as_set_and_leaves_room_for_the_longest_prompt(project) -> None:  # type: ignore[no-untyped-def]
    project.context_tokens = 64  # the fixture's prompts have 20
    made = project.run(labels(project), LABELLED, ["a"] * 20, ["a"] * 20, max_new_tokens=500)
    assert {one["limit"] for one in made.learner.asked} == {44}


def test_the_models_are_given_the_prompts_without_the_answers(project) -> None:  # type: ignore[no-untyped-def]
    made = project.run(labels(project), LABELLED, ["a"] * 20, ["a"] * 20)
    prompts = made.learner.asked[0]["prompts"]
    assert [[message.text for message in prompt] for prompt in prompts] == [[text] for text, _ in LABELLED]


def test_predictions_hold_each_candidates_answer_score_and_confidence(project) -> None:  # type: ignore[no-untyped-def]
    made = project.run(labels(project), LABELLED, ["a"] * 20, ["b"] * 20, confidence=[0.25] * 20, finished=False)
    lines = list(made.report.predictions())
    assert len(lines) == 20
    assert (lines[1]["input"], lines[1]["reference"]) == ("ticket 1", "b")
    assert lines[1]["base"] == {"answer": "a", "score": 0.0, "confidence": 0.25, "tokens": 7, "finished": False}
    assert lines[1]["tuned"]["score"] == 1.0
    assert made.report.facts["cut"] == {"base": 20, "tuned": 20}
    assert "20 answers of “tuned” were cut at the length limit" in made.html


def test_the_worst_rows_are_the_wrong_ones_the_biggest_loss_first(project) -> None:  # type: ignore[no-untyped-def]
    tuned = ["b", "a", "b", *["ab"[number % 2] for number in range(3, 20)]]  # rows 0, 1 and 2 are wrong
    base = ["b", "b", *["a"] * 18]  # right on row 1, wrong on 0; right on 2
    made = project.run(labels(project), LABELLED, base, tuned, worst=2)
    by_id = {line["id"]: line["input"] for line in made.report.predictions()}
    assert [by_id[id] for id in made.report.facts["worst"]] == ["ticket 1", "ticket 2"]


def test_a_learner_that_leaves_answers_out_fails_the_stage(project) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TunesmithError, match="gave 19 answers to 20 rows"):
        project.run(labels(project), LABELLED, ["a"] * 20, ["a"] * 19)


def test_the_same_input_gives_the_same_scores_and_predictions(project, tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    twins = [type(project)(tmp_path_factory.mktemp("twin")) for _ in range(2)]
    made = [twin.run(labels(twin), LABELLED, ["a"] * 20, ["a", "b"] * 10) for twin in twins]
    for name in ("test.json", "predictions.parquet"):
        assert (made[0].folder / name).read_bytes() == (made[1].folder / name).read_bytes()


def test_a_stop_is_heard_while_answers_are_made(project) -> None:  # type: ignore[no-untyped-def]
    inputs = project.inputs(labels(project), LABELLED)
    learner = project.learner(["a"] * 20, ["a"] * 20)
    with pytest.raises(Cancelled):
        run(inputs, TestSettings(), replace(_context(project), stopping=lambda: True), find_learner=learner.find)
    assert len(learner.asked) == 1


def _context(project) -> Context:  # type: ignore[no-untyped-def]
    folder = project.root / "out"
    folder.mkdir()
    return Context("test", project.root, folder, project.root / "cache")
