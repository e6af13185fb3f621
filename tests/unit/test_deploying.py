"""Deploying from Python: what comes of a wish, and what is at work, where no server runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.repo.modules import ROOT
from tunesmith import InputError, Project, TunesmithError
from tunesmith.cli.main import main
from tunesmith.deploying import Deployed, worked
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.tables import open_state

IDS = ("a" * 16, "b" * 16)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two versions on record, the first of which was served; what they are made of is not there."""
    project = Project.create(tmp_path / "support-desk", input="text", output="label")
    state = open_state(project.store.root)
    for id in IDS:
        state.change(lambda one, id=id: versions.add(one, id, {"tested": None}))  # type: ignore[misc]
    state.change(lambda one: rollouts.record_first(one, IDS[0]))
    state.close()
    monkeypatch.setattr("tunesmith.server.preparing.recorded", lambda project, record: None)
    return project


def switched(project: Project, wish: Deployed) -> Deployed:
    """What a server would do with a wish that waits."""
    assert wish.waits
    state = open_state(project.store.root)
    [waiting] = state.look(lambda one: [found for found in rollouts.everything(one) if not found.over])
    state.change(lambda one: rollouts.carry_out_now(one, waiting.id))
    state.close()
    return wish


def test_a_version_is_tried_promoted_and_taken_back(project: Project) -> None:
    tried = switched(project, project.deploy("@bbbb", canary=0.25))
    assert (tried.version, tried.id, tried.kind, tried.share) == ("support-desk@bbbb", IDS[1], "canary", 0.25)
    found = project.deployment()
    assert found.names == {"support-desk": "support-desk@aaaa", "support-desk:canary": "support-desk@bbbb"}
    assert found.canary is not None
    assert (found.canary.share, found.canary.new.requests, found.canary.before.p95_seconds) == (0.25, 0, None)
    assert project.promote().stage in ("active", "done")
    assert project.deployment().names["support-desk"] == "support-desk@bbbb"
    back = project.rollback()
    assert (back.version, back.waits) == ("support-desk@aaaa", False)
    found = project.deployment()
    assert (found.names["support-desk"], found.server_runs) == ("support-desk@aaaa", False)
    assert [one.kind for one in found.history] == ["first", "canary", "promote", "rollback"]
    assert [one.id for one in sorted(found.versions, key=lambda one: one.id)] == list(IDS)


def test_a_trial_that_is_taken_back_is_told_as_such(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for trial in ({"canary": 0.25}, {"shadow": True}):
        switched(project, project.deploy("@bbbb", **trial))  # type: ignore[arg-type]
        assert main(["rollback", "--project", str(project.root)]) == 0
        assert "What was tried is taken back; support-desk is support-desk@aaaa as before." in capsys.readouterr().out
    switched(project, project.deploy("@bbbb"))
    assert main(["rollback", "--project", str(project.root)]) == 0
    assert "support-desk is support-desk@aaaa again." in capsys.readouterr().out


def test_a_version_gets_a_name_of_its_own(project: Project) -> None:
    assert switched(project, project.deploy("@bbbb", name="stable")).name == "stable"
    assert project.deployment().names["support-desk:stable"] == "support-desk@bbbb"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"canary": 0.0}, "wrong_share"),
        ({"canary": 1.0}, "wrong_share"),
        ({"version": "@bbbb", "round": 1}, "wrong_argument"),
        ({"canary": 0.1, "shadow": True}, "wrong_argument"),
        ({"shadow": True, "name": "stable"}, "wrong_argument"),
        ({"name": "Stable!"}, "bad_alias"),
        ({"engine": "llama"}, "wrong_argument"),
        ({"precision": "f8"}, "wrong_argument"),
        ({"precision": "q8_0", "engine": "torch"}, "wrong_argument"),
        ({"precision": "q8_0", "version": "@bbbb"}, "wrong_argument"),
        ({"version": "@cccc"}, "unknown_version"),
        ({"version": "@bb"}, "unknown_version"),
        ({"version": "@aaaa", "canary": 0.1}, "same_version"),
        ({}, "not_made"),
    ],
)
def test_a_wish_that_cannot_be_is_an_error_and_nothing_is_recorded(
    project: Project, wish: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        project.deploy(**wish)
    assert caught.value.code == code
    assert [one.kind for one in project.deployment().history] == ["first"]


@pytest.mark.parametrize("wish", [{"canary": 0.1}, {"shadow": True}])
def test_a_version_that_answers_all_already_is_told_before_any_model_is_asked(
    project: Project, wish: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("tunesmith.server.preparing.version_of", lambda project: SimpleNamespace(id=IDS[0]))
    monkeypatch.setattr("tunesmith.server.preparing.prepare", lambda *given, **more: asked.append(given))
    with pytest.raises(InputError, match="same_version") as caught:
        project.deploy(**wish)
    assert "@aaaa answers all requests already" in str(caught.value)
    assert asked == []


def test_a_version_that_was_not_let_to_work_is_an_error() -> None:
    failed = Deployed("support-desk@bbbb", IDS[1], "deploy", "failed", None, None, "row 1 is answered otherwise")
    with pytest.raises(TunesmithError, match="deploy_refused"):
        worked(failed, "here")


def test_the_example_of_the_docs_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    [block] = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    deploy = project.deploy
    monkeypatch.setattr(project, "deploy", lambda **given: switched(project, deploy("@bbbb", **given)))
    monkeypatch.setattr(Project, "open", lambda folder: project)
    exec(block, {})
    assert [one.kind for one in project.deployment().history] == ["first", "canary", "promote", "rollback"]


def test_too_little_of_an_id_is_not_called_unknown(project: Project) -> None:
    with pytest.raises(InputError, match="'@bb' is too short"):
        project.deploy("@bb")
