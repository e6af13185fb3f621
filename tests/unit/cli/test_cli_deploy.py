"""`tunesmith deploy` and `tunesmith rollback` in a project where nothing was served yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith import Project
from tunesmith.cli.main import main
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.tables import open_state

IDS = ("a" * 16, "b" * 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Project.create(tmp_path / "desk", input="text", output="label")
    return tmp_path / "desk"


def said(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main([*words, "--project", str(folder)])
    told = capsys.readouterr()
    return code, told.out + told.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("deploy", "--canary", "0%"), "wrong_share"),
        (("deploy", "--canary", "a lot"), "wrong_share"),
        (("deploy", "--canary", "100%"), "wrong_share"),
        (("deploy", "@3f2a", "--round", "1"), "wrong_argument"),
        (("deploy", "@3f2a", "--promote"), "wrong_argument"),
        (("deploy", "--status", "--precision", "q8_0"), "wrong_argument"),
        (("deploy", "--drop", "stable", "--engine", "torch"), "wrong_argument"),
        (("deploy", "@3f2a", "--engine", "torch"), "wrong_argument"),
        (("deploy", "@3f2a", "--precision", "q8_0"), "wrong_argument"),
        (("deploy", "--engine", "torch", "--precision", "q8_0"), "wrong_argument"),
        (("deploy", "--engine", "openai", "--precision", "f32"), "wrong_argument"),
        (("serve", "--engine", "torch", "--precision", "q8_0"), "wrong_argument"),
        (("serve", "--engine", "vllm", "--precision", "q4_1"), "wrong_argument"),
        (("deploy", "--as", "Stable!"), "bad_alias"),
        (("deploy", "--as", "canary"), "bad_alias"),
        (("deploy", "--drop", "stable"), "unknown_alias"),
        (("deploy", "@3f2a"), "unknown_version"),
        (("deploy", "--promote"), "nothing_to_promote"),
        (("deploy", "--round", "1"), "no_such_round"),
        (("deploy",), "not_made"),
        (("rollback",), "nothing_to_roll_back"),
    ],
)
def test_what_cannot_be_deployed_is_told(
    folder: Path, words: tuple[str, ...], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, told = said(folder, capsys, *words)
    assert (ended, f"[{code}]" in told) == (2, True), told


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("rollback",), 2),
        (("deploy", "--promote"), 2),
        (("deploy", "--drop", "stable"), 2),
        (("deploy", "--status"), 0),
        (("deploy", "@3f2a"), 2),
        (("deploy", "--canary", "10%"), 2),
        (("deploy",), 2),
    ],
)
def test_where_nothing_was_served_a_command_that_does_nothing_leaves_nothing(
    folder: Path, words: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert said(folder, capsys, *words)[0] == code
    assert sorted(folder.rglob("*")) == before


def test_the_status_tells_versions_names_and_what_happened(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(folder, capsys, "deploy", "--status") == (
        0,
        "Nothing was served or deployed yet: `tunesmith serve`, or `tunesmith deploy`.\n",
    )
    state = open_state(folder / ".tunesmith")
    for id in IDS:
        state.change(lambda one, id=id: versions.add(one, id, {"tested": None}))  # type: ignore[misc]
    state.change(lambda one: rollouts.record_first(one, IDS[0]))
    for kind, name in (("canary", ""), ("alias", "stable")):
        rollout = state.change(lambda one, kind=kind, name=name: rollouts.ask(one, kind, IDS[1], share=0.1, name=name))  # type: ignore[misc]
        state.change(lambda one, id=rollout.id: rollouts.carry_out_now(one, id))  # type: ignore[misc]
    state.close()
    _, told = said(folder, capsys, "deploy", "--status")
    assert "desk:canary (10%), desk:stable" in told
    assert "0 requests, 0 errors" in told
    assert said(folder, capsys, "deploy", "--drop", "stable")[0] == 0
    assert said(folder, capsys, "rollback")[0] == 0
    status = json.loads(said(folder, capsys, "deploy", "--status", "--json")[1])
    assert status["names"] == {"desk": "desk@aaaa", "desk:canary": "desk@aaaa"}
    assert [(one["kind"], one["stage"]) for one in status["history"]] == [
        ("first", "done"),
        ("canary", "rolled_back"),
        ("alias", "done"),
        ("rollback", "done"),
    ]
