"""A trial with a real, tiny model: measured on validation rows, cached by content, resumed after a stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.recipes.tiny_project import Kind, write_base, write_tiny_project
from tunesmith import Project
from tunesmith.errors import Cancelled, InputError, TestPartLocked
from tunesmith.products import Splits
from tunesmith.trials import compare_bases as bases
from tunesmith.trials.budget import Budget
from tunesmith.trials.compare_bases import compare_bases
from tunesmith.trials.more_data import part
from tunesmith.trials.rows import Prepared
from tunesmith.trials.run import prepared
from tunesmith.trials.trial import carry_out, find

KIND = Kind("label", 2, "epochs: 2, batch_size: 10, learning_rate: 0.001, dropout: 0.2, checkpoint_seconds: 60")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("trials")
    write_base(folder / "base", KIND)
    file = write_tiny_project(folder / "project", KIND, folder / "base") / "tunesmith.yaml"
    text = file.read_text(encoding="utf-8").replace("train: 0.7, validation: 0.15", "train: 0.6, validation: 0.25")
    file.write_text(text, encoding="utf-8")
    opened = Project.open(file)
    opened.run(to="split")
    return opened


@pytest.fixture
def rows(project: Project) -> Iterator[Prepared]:
    with prepared(project) as found:
        yield found


def test_a_trial_is_made_once_and_its_model_is_thrown_away(rows: Prepared, project: Project) -> None:
    wanted = part(rows, 20, 0)
    made = carry_out(rows, wanted)
    assert len(made.scores) == len(rows.material.measured) >= 10
    assert (made.rows, made.cached) == (20, False)
    again = carry_out(rows, wanted)
    assert again.cached
    assert again.scores.tolist() == made.scores.tolist()
    files = [path.name for path in (rows.folder / wanted.id).rglob("*")]
    assert files == ["outcome.json"]
    assert not list(rows.work.glob("trial-*"))
    kept = (rows.folder / wanted.id / "outcome.json").read_text(encoding="utf-8")
    assert not any(example.id in kept for example in (*rows.train, *rows.material.measured))


def test_other_rows_settings_or_measured_rows_are_another_trial(rows: Prepared) -> None:
    first = part(rows, 20, 0)
    others = [
        part(rows, 21, 0),
        part(rows, 20, 1),
        replace(first, settings=first.settings.model_copy(update={"learning_rate": 0.5})),
        replace(first, seed=first.seed + 1),
        replace(first, material=replace(first.material, measured=first.material.measured[:10])),
    ]
    assert len({first.id, *(other.id for other in others)}) == 6
    unfelt = replace(first, settings=first.settings.model_copy(update={"patience": 9}))
    assert unfelt.id == first.id


def test_a_damaged_outcome_is_made_again(rows: Prepared) -> None:
    wanted = part(rows, 10, 0)
    made = carry_out(rows, wanted)
    file = rows.folder / wanted.id / "outcome.json"
    text = file.read_text(encoding="utf-8")
    wrong = text.replace("0.0", "1.0", 1) if "0.0" in text else text.replace("1.0", "0.0", 1)
    for damaged in (text[:40], wrong):
        file.write_text(damaged, encoding="utf-8")
        assert find(rows, wanted) is None
    assert carry_out(rows, wanted).scores.tolist() == made.scores.tolist()


def test_a_trial_that_was_stopped_goes_on_and_comes_to_the_same(rows: Prepared) -> None:
    wanted = part(rows, 30, 1)
    whole = carry_out(rows, wanted)
    (rows.folder / wanted.id / "outcome.json").unlink()
    asked = iter([False] + [True] * 100)
    with pytest.raises(Cancelled, match="checkpoint is saved"):
        carry_out(replace(rows, stopping=lambda: next(asked)), wanted)
    assert find(rows, wanted) is None
    assert list(rows.work.glob("trial-*/checkpoints/*"))
    again = carry_out(rows, wanted)
    assert not again.cached
    assert again.scores.tolist() == whole.scores.tolist()


def test_the_test_part_is_not_read(rows: Prepared, project: Project) -> None:
    locked = {row.id for row in project.product("clean").examples(set(project.product("split").ids("test")))}
    assert locked
    seen = {example.id for example in (*rows.train, *rows.material.measured)}
    assert not locked & seen
    split = project.store.latest("split")
    assert split is not None
    with pytest.raises(TestPartLocked):
        Splits.open(split, holder="advise", readable=("train", "validation")).ids("test")


def test_bases_are_compared_on_the_same_rows_and_the_same_base_is_not_better(
    rows: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = replace(rows.material.base, name="twin")
    monkeypatch.setattr(bases, "had", lambda name, *rest: twin)
    found = compare_bases(rows, ["twin"], Budget(30))
    assert found.yours == rows.material.base.name
    assert {one.name for one in found.tried} == {found.yours, "twin"}
    assert found.better is None
    assert "None is shown to be better" in found.words
    ours, theirs = sorted(found.tried, key=lambda one: one.against is not None)
    assert ours.score.value == theirs.score.value
    assert theirs.against is not None
    assert theirs.against.value == 0


def test_one_base_alone_or_one_from_scratch_is_refused(rows: Prepared) -> None:
    with pytest.raises(InputError, match="one_base"):
        compare_bases(rows, [str(rows.material.base.folder)], Budget(1))
    with pytest.raises(InputError, match="base_cannot_do_this"):
        compare_bases(rows, ["scratch"], Budget(1))
