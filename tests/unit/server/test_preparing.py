"""What is found wrong with a version before any model is asked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tunesmith import InputError, Project
from tunesmith.cli.main import main
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.tables import open_state
from tunesmith.server.opening import FromProject, open_routes
from tunesmith.server.preparing import EXPORTS, prepare, sweep
from tunesmith.server.served import Wanted
from tunesmith.server.site import Site


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "new", input="text", output="text")


def exported(folder: str) -> dict[str, str]:
    return {"form": "gguf-f16-in-float32", "precision": "f16", "folder": f"{EXPORTS}/{folder}"}


def test_a_classifier_has_no_precisions() -> None:
    version: Any = SimpleNamespace(name="routing", tuned=SimpleNamespace(learner="classifier"), setup=None)
    nothing: Any = None
    with pytest.raises(InputError, match="and routing is a classifier"):
        prepare(nothing, nothing, version, Wanted(precision="q8_0"))


@pytest.mark.parametrize(("export", "told_as"), [(True, "with weights of f16"), (False, "without an export")])
def test_weights_are_those_that_were_deployed(export: bool, told_as: str, project: Project) -> None:
    state = open_state(project.store.root)
    made = exported("1a-gguf-f16-in-float32") if export else None
    record = state.change(lambda one: versions.add(one, "3f2a" * 4, {"made_at": 0.0}, made))
    state.change(lambda one: rollouts.ask(one, "deploy", record.id))
    with pytest.raises(InputError) as told:
        open_routes(project, Site(project.name, state), Wanted(precision="q8_0"))
    state.close()
    assert f"@3f2a was deployed {told_as}" in told.value.what
    assert told.value.fix == "`tunesmith deploy --precision q8_0`, or leave --precision out"


@pytest.mark.parametrize("engine", ["torch", "vllm", "openai"])
def test_only_llama_cpp_has_an_arithmetic(engine: str, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(project.root), "--engine", engine, "--arithmetic", "f16"]) == 2
    assert "leave --arithmetic out" in " ".join(capsys.readouterr().err.split())


def test_an_export_stays_with_either_arithmetic_while_its_version_is_kept(project: Project) -> None:
    state = open_state(project.store.root)
    for number in range(3):
        export = exported(f"{number}-gguf-f16-in-float32")
        state.change(lambda one, id=str(number) * 16, export=export: versions.add(one, id, {}, export))  # type: ignore[misc]
        for name in (f"{number}-gguf-f16-in-float32", f"{number}-gguf-f16"):
            (project.store.root / EXPORTS / name).mkdir(parents=True)
    sweep(project, state, keep=1)
    state.close()
    left = sorted(path.name for path in (project.store.root / EXPORTS).iterdir())
    assert left == ["2-gguf-f16", "2-gguf-f16-in-float32"]


def test_what_is_said_of_a_version_goes_to_the_server_and_how_far_it_is_to_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def loading(project: Any, site: Any, record: Any, wanted: Wanted) -> Any:
        wanted.tell("answers below 0.4 go to a person")
        wanted.progress("writing", 1, 2)

    monkeypatch.setattr("tunesmith.server.opening.load", loading)
    said: list[str] = []
    shown: list[str] = []
    nothing: Any = None
    FromProject(nothing, nothing, Wanted(tell=said.append)).load(nothing, shown.append)
    assert (said, shown) == (["answers below 0.4 go to a person"], ["loading", "writing"])
