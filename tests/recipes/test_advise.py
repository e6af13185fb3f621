"""`tunesmith advise` on whole projects: before and after training, stopped amid its work, and what `ask` then uses."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from benchmarks import advice, advice_tasks
from tests.recipes.tiny_project import KINDS, write_base, write_tiny_project
from tunesmith import InputError, Project
from tunesmith.artifact import Store
from tunesmith.errors import Cancelled, TestPartLocked
from tunesmith.events import Event
from tunesmith.example_parquet import read_rows
from tunesmith.plugins import learner_for
from tunesmith.retrieval.index import FOLDER as KNOWLEDGE
from tunesmith.retrieval.index import open_index
from tunesmith.stages.advise import held_out as held_out_module
from tunesmith.stages.advise.costs import ASKED_ALONE

LM, CLASSIFIER = KINDS["language_model_on_two_threads"], KINDS["classifier"]
ADVISE = "advise: {rows: 12, examples: 2}\n"


def project(root: Path, kind: object, more: str = ADVISE) -> Project:
    folder = write_tiny_project(root / "project", kind, write_base(root / "base", kind))  # type: ignore[arg-type]
    with (folder / "tunesmith.yaml").open("a", encoding="utf-8") as file:
        file.write(more)
    return Project.open(folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that was advised on before it was trained, and trained."""
    opened = project(tmp_path_factory.mktemp("advise"), CLASSIFIER)
    opened.run(to="advise")
    opened.run(to="train")
    return opened.root


def states(opened: Project) -> dict[str, tuple[str, str]]:
    return {one.stage: (one.state, one.why) for one in opened.status()}


def test_before_training_it_measures_what_needs_none_and_after_it_the_model_too(classifier, tmp_path):
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    before = opened.product("advise")
    assert [arm["name"] for arm in before.arms] == ["bare", "prompt", "examples"] or "prompt" in before.left_out
    assert "nothing is trained yet" in before.left_out["tuned"]
    assert before.left_out["retrieval"].startswith("does not apply")
    assert states(opened)["advise"] == ("stale", "train changed")
    result = opened.run(to="advise")
    assert result.made == ["advise"]
    assert result.advise is not None
    assert [arm["name"] for arm in result.advise.arms][-1] == "tuned"
    assert states(opened)["advise"][0] == states(opened)["train"][0] == "made"
    for arm in result.advise.arms:
        assert {"latency", "tokens_in", "memory", "build"} <= set(arm["cost"])
        assert all(score["low"] <= score["value"] <= score["high"] for score in arm["scores"])
    assert sum(arm["behind"] is None for arm in result.advise.arms) == 1
    assert "nothing is trained" not in result.advise.markdown.read_text(encoding="utf-8")


def test_the_tuned_model_is_measured_without_having_seen_the_validation_rows(classifier, tmp_path, monkeypatch):
    """The model in use was trained on them once more (refit): one that was not is trained, and thrown away."""
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    trained: list[set[str]] = []
    real = held_out_module.Run

    def spy(model, rows, validation, *more):
        trained.append({row.id for row in rows})
        return real(model, rows, validation, *more)

    monkeypatch.setattr(held_out_module, "Run", spy)
    found = opened.run(to="advise").advise
    assert found is not None
    split = opened.product("split")
    assert trained == [set(split.ids("train"))]
    measured = {row["id"] for row in read_rows(found.folder / "answers.parquet", ["id"])}
    assert measured <= set(split.ids("validation"))
    assert not (found.folder / "held_out").exists()
    curve = [point for point in opened.product("train").curve if "validation_accuracy" in point]
    best = next(point for point in curve if point["step"] == opened.product("train").facts["best_step"])
    scored = found.arms[-1]["scores"][0]
    assert scored["value"] == pytest.approx(best["validation_accuracy"])


def test_a_stop_amid_that_training_keeps_its_steps_and_it_comes_to_the_same(classifier, tmp_path, monkeypatch):
    """One Ctrl-C stops it with a checkpoint, memory is spared as the training's recipe says, and it goes on."""
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    whole = Project.open(shutil.copytree(classifier, tmp_path / "whole")).run(to="advise").advise
    recipe = opened.product("train").recipe
    spared: list[bool] = []
    real = held_out_module.Run

    def spy(model, *more):
        spared.append(model.checkpoint_activations.asked)
        return real(model, *more)

    monkeypatch.setattr(held_out_module, "Run", spy)
    load = opened_learner(opened).load
    prepare = load.prepare

    def prepared(*given):
        model = prepare(*given)
        do = model.checkpoint_activations

        def asked(on):
            asked.asked = on
            return do(on)

        asked.asked = None
        model.checkpoint_activations = asked
        return model

    monkeypatch.setattr(load, "prepare", prepared)
    told: list[str] = []

    def stop(event: Event) -> None:
        told.append(str(event.data.get("text", "")))
        if event.kind == "progress" and event.data["unit"] == "steps" and event.data["done"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Cancelled, match="stopped by you in step 2 of"):
        opened.run(to="advise", on_event=stop)
    assert list(opened.store.work.glob("advise-*/held_out/checkpoints/*"))
    found = opened.run(to="advise", on_event=lambda event: told.append(str(event.data.get("text", "")))).advise
    assert any(text.startswith("going on from step 2 of") for text in told)
    assert spared == [recipe["activation_checkpointing"]] * 2
    assert found is not None
    assert whole is not None
    assert [arm["scores"] for arm in found.arms] == [arm["scores"] for arm in whole.arms]


def opened_learner(opened: Project) -> Any:
    goal, base = opened.product("goal"), opened.product("base")
    return learner_for(base.kind, goal.input, goal.output)


def test_a_plain_run_does_without_documents_that_are_gone(classifier, tmp_path):
    """They are advise's alone: the report leaves the arms out, and advise itself says what is missing, at once."""
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    docs = opened.root / "docs"
    docs.mkdir()
    (docs / "shop.md").write_text("A torn tent is mended in May.\n", encoding="utf-8")
    text = opened.file.read_text(encoding="utf-8").replace("examples: 2}", "examples: 2, knowledge: docs}")
    opened.file.write_text(text, encoding="utf-8")
    opened.run(to="advise")
    shutil.rmtree(docs)
    result = opened.run()
    assert result.made == ["test"]
    with pytest.raises(InputError, match="no_knowledge"):
        opened.run(to="advise", on_event=lambda event: pytest.fail("something was made"))


def test_documents_are_not_read_where_nothing_was_advised(classifier, tmp_path, monkeypatch):
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    (opened.store.root / "latest" / "advise").unlink()
    text = opened.file.read_text(encoding="utf-8").replace("examples: 2}", "examples: 2, knowledge: docs}")
    opened.file.write_text(text, encoding="utf-8")
    monkeypatch.setattr("tunesmith.pipeline.advising.fingerprint", lambda place: pytest.fail("documents were read"))
    assert opened.run().test is not None


def test_it_is_not_made_by_a_plain_run_and_changes_nothing_in_it(classifier, tmp_path):
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    result = opened.run()
    assert result.advise is None
    assert result.made == ["test"]


def test_it_may_not_read_the_test_part(classifier, monkeypatch):
    from tunesmith.pipeline.order import BY_NAME, open_product

    split = Store(classifier / ".tunesmith").latest("split")
    assert split is not None
    with pytest.raises(TestPartLocked, match="'advise' may not read the test part"):
        open_product(BY_NAME["split"], split, BY_NAME["advise"]).ids("test")


def test_a_choice_of_set_up_is_written_used_by_ask_and_makes_nothing_stale(classifier, tmp_path):
    opened = Project.open(shutil.copytree(classifier, tmp_path / "project"))
    opened.run(to="advise")
    words = opened.use("examples")
    assert "nearest training examples" in words
    assert "use: examples" in opened.file.read_text(encoding="utf-8")
    assert states(opened)["advise"][0] == "made"
    answers = opened.ask("My tent is torn.")
    assert [answer.candidate for answer in answers] == ["base", "tuned", "examples"]
    assert [bool(answer.in_use) for answer in answers] == [False, False, True]
    opened.use("tuned")
    answers = opened.ask("My tent is torn.")
    assert [(answer.candidate, bool(answer.in_use)) for answer in answers] == [("base", False), ("tuned", True)]
    with pytest.raises(InputError, match="set_up_not_measured"):
        opened.use("retrieval")
    assert "use: tuned" in opened.file.read_text(encoding="utf-8")


def known(opened: Project) -> list[str]:
    """The answers that are kept."""
    files = (opened.root / ".tunesmith" / "answers").glob("*.jsonl")
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]


class Stopped(Exception):
    """As sudden as a kill."""


def test_a_stopped_advice_goes_on_and_documents_are_read(tmp_path, minilm, monkeypatch):
    """A language model with documents, stopped amid its answers: those that were given are not asked for again."""
    from tunesmith.learners.causal_lm import predict as predict_module

    monkeypatch.setenv("TUNESMITH_BASE_ALL_MINILM_L6_V2", str(minilm.folder))
    opened = project(tmp_path, LM, "advise: {rows: 10, examples: 1, knowledge: docs, chunks: 1}\n")
    (opened.root / "docs").mkdir()
    (opened.root / "docs" / "shop.md").write_text("# Tents\n\nA torn tent is mended in May.\n", encoding="utf-8")
    asked: list[int] = []
    real = predict_module.predict
    monkeypatch.setattr(
        predict_module, "predict", lambda *given, **more: asked.append(len(given[4])) or real(*given, **more)
    )

    def stop(event: Event) -> None:
        if event.kind == "progress" and event.data["unit"] == "answers" and event.data["done"] >= 40:
            raise Stopped

    with pytest.raises(Stopped):
        opened.run(to="advise", on_event=stop)
    kept = known(opened)
    assert len(kept) > 0
    asked.clear()
    found = opened.run(to="advise").advise
    assert found is not None
    names = [arm["name"] for arm in found.arms]
    assert {"bare", "examples", "retrieval", "tuned", "tuned_retrieval"} <= {*names, *found.left_out}
    assert "retrieval" in names
    [index] = (opened.store.root / KNOWLEDGE).iterdir()
    assert len(open_index(index, None).chunks) == 1
    # a few are asked alone, to measure how long one waits; of the others none that was known
    assert sum(asked) <= len(known(opened)) - len(kept) + (1 + ASKED_ALONE) * len(names)
    (opened.root / "docs" / "shop.md").write_text("# Tents\n\nA torn tent is mended in June.\n", encoding="utf-8")
    assert states(opened)["advise"] == ("stale", "knowledge changed")
    opened.use("retrieval")
    assert [answer.candidate for answer in opened.ask("My tent is torn.")] == ["base", "retrieval"]


def test_the_real_encoder_that_knows_the_task_already_is_not_to_be_tuned(tmp_path, bases_cache, monkeypatch):
    """Before anything is trained: nobody trains for nothing."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    opened = Project.open(advice_tasks.prompt(0).write(tmp_path / "project"))
    found = opened.run(to="advise").advise
    assert found is not None
    assert found.advice["answer"] == "prompt"
    assert found.advice["words"].startswith("Do not fine-tune: your prompt alone meets the goal")
    assert [answer.candidate for answer in opened.ask("Stir the soup with basil.")] == ["base"]
    assert opened.ask("Stir the soup with basil.")[0].text == "cooking"


@pytest.mark.slow
@pytest.mark.parametrize("make", advice_tasks.TASKS, ids=lambda make: make.__name__)
def test_each_of_the_five_arms_is_advised_where_it_should_win(make, bases_cache, monkeypatch):
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    task = make(0)
    answer, about = advice.advised(task)
    assert answer == task.right, about
