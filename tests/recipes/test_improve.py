"""The loop, with a real and tiny model: test, propose, accept, next round, compare, reject."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipes.tiny_project import KINDS, write_base, write_tiny_project
from tunesmith import InputError, Project
from tunesmith.products import PARTS

KIND = KINDS["classifier"]
TEXTS = ("Where is my {}?", "The {} came broken.", "I want to send the {} back.")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A tiny project with a pool of inputs, one of which it has already."""
    folder = write_tiny_project(tmp_path / "tiny", KIND, write_base(tmp_path / "base", KIND))
    pool = [text.format(thing) for text in TEXTS for thing in ("kettle", "sofa", "mirror", "drum", "oven")]
    (folder / "pool.txt").write_text("\n".join(["My tent is torn.", *pool]) + "\n", encoding="utf-8")
    settings = (folder / "tunesmith.yaml").read_text(encoding="utf-8")
    (folder / "tunesmith.yaml").write_text(settings + "improve: {pool: [pool.txt], choose: 5}\n", encoding="utf-8")
    return Project.open(folder)


def test_a_round_goes_from_a_proposal_to_the_next_and_back(project: Project) -> None:
    result = project.run()
    assert "improve" not in result.made
    assert [shown.round.round for shown in project.rounds()] == [1]
    proposal = project.run(to="improve").improve
    assert proposal is not None
    known = {part: set(project.product("split").ids(part)) for part in PARTS}
    assert not {row.id for row in proposal.rows()} & known["test"]
    to_label = [row.input for row in proposal.rows("label")]
    assert len(set(to_label)) == 5
    assert "My tent is torn." not in to_label
    assert project.run().made == []  # making the proposal changed nothing
    tested = {row["id"] for row in project.product("test").predictions()}

    project.accept(["label"])
    path = project.root / "improve" / "to-label-2.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines[:3]:
        line["answer"] = "delivery"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    project.run()
    learned = {example.input for example in project.product("clean").examples()}
    assert {line["input"] for line in lines if line["answer"]} <= learned
    assert not {line["input"] for line in lines if not line["answer"]} & learned  # not labelled yet
    assert tested <= {row["id"] for row in project.product("test").predictions()}
    assert "## Rounds" in project.product("test").markdown.read_text(encoding="utf-8")
    assert 'id="rounds"' in project.product("test").html.read_text(encoding="utf-8")
    _, two = project.rounds()
    assert two.against is not None
    assert two.against.n == len(tested)
    assert any("labelled-2.jsonl is new" in words for words in two.round.changed)

    assert project.reject_round()[:2] == (2, 1)
    assert project.run().made == []  # all of round 1 is there
    assert project.product("test").verdict == result.verdict
    project.use_round(2)
    assert project.run().made == []
    assert [shown.in_use for shown in project.rounds()] == [False, True]


def test_a_pool_that_is_not_there_is_told(project: Project) -> None:
    (project.root / "pool.txt").unlink()
    with pytest.raises(InputError) as fault:  # at once, not after a training
        project.run(to="improve", on_event=lambda event: pytest.fail("something was made"))
    assert fault.value.code == "no_pool"
