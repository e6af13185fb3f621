"""`tunesmith deploy` and `tunesmith rollback` beside a server of trained models."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.recipes.test_export import SETTINGS
from tests.recipes.test_serve import QUICK, serving
from tests.recipes.tiny_project import rows, write_base, write_tiny_project
from tunesmith import Project
from tunesmith.cli.main import main

ROWS = ("My tent is torn.", "Hi, the map was charged twice!")


def command(project: Path, capsys: Any, *words: str) -> dict[str, Any]:
    assert main([*words, "--project", str(project), "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def answered(client: openai.OpenAI, model: str) -> tuple[str, list[tuple[str, float]]]:
    """The version that answers, what, and how surely."""
    found = [answer_to(client, model, row) for row in ROWS]
    [version] = {version for version, _ in found}
    return version, [told for _, told in found]


def answer_to(client: openai.OpenAI, model: str, row: str) -> tuple[str, tuple[str, float]]:
    asked: Any = [{"role": "user", "content": row}]
    found: Any = client.chat.completions.create(model=model, messages=asked)
    sure = found.model_extra["tunesmith"]["confidence"]
    return found.model, (found.choices[0].message.content, round(sure, 3))


def assert_alike(some: list[tuple[str, float]], others: list[tuple[str, float]]) -> None:
    """The same texts, as surely: answers that llama.cpp computes together differ in their last bits."""
    assert [text for text, _ in some] == [text for text, _ in others]
    assert [sure for _, sure in some] == pytest.approx([sure for _, sure in others], abs=0.02)


def train_otherwise(project: Project) -> None:
    """Train again, so that another model comes out."""
    text = project.file.read_text(encoding="utf-8")
    project.file.write_text(text.replace("learning_rate: 0.01", "learning_rate: 0.02"), encoding="utf-8")
    project.run(to="train")


def test_a_server_goes_from_version_to_version_and_back(
    tmp_path: Path, bases_cache: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    kind = QUICK["text"]
    folder = write_tiny_project(tmp_path / "text", kind, write_base(tmp_path / "base", kind))
    project = Project.open(folder)
    project.run(to="train")
    assert command(folder, capsys, "deploy", "--engine", "torch")["stage"] == "wanted"  # no server runs
    with serving([folder], bases_cache, "--engine", "torch") as client:
        first, said = answered(client, "tiny")
        train_otherwise(project)
        assert answered(client, "tiny") == (first, said)
        told = command(folder, capsys, "deploy", "--engine", "torch")
        assert (told["kind"], told["stage"]) == ("deploy", "active")
        second, other = answered(client, "tiny")
        assert second == told["version"] != first
        assert other != said
        assert command(folder, capsys, "rollback")["version"] == first
        assert answered(client, "tiny") == (first, said)
        assert command(folder, capsys, "deploy", second, "--canary", "50%")["stage"] == "active"
        assert answered(client, "tiny:canary") == (second, other)
        assert command(folder, capsys, "deploy", "--promote")["version"] == second
        assert command(folder, capsys, "deploy", first.partition("@")[2], "--as", "stable")["stage"] == "done"
        assert (answered(client, "tiny")[0], answered(client, "tiny:stable")) == (second, (first, said))
        status = command(folder, capsys, "deploy", "--status")
        assert status["server_runs"]
        assert status["names"] == {"tiny": second, "tiny:canary": second, "tiny:stable": first}
        done = ["deploy", "deploy", "rollback", "canary", "promote", "alias"]
        assert [one["kind"] for one in status["history"]] == done
    assert main(["deploy", "--status", "--project", str(folder)]) == 0
    assert "tiny:stable" in capsys.readouterr().out
    assert command(folder, capsys, "rollback")["version"] == first  # no server runs: the next start serves it
    assert command(folder, capsys, "deploy", "--status")["names"]["tiny"] == first


@pytest.mark.slow
def test_an_earlier_version_is_served_by_llama_cpp_from_its_own_export(
    tmp_path: Path, bases_cache: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    folder = tmp_path / "chat"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
    project = Project.open(folder)
    project.run(to="train")
    with serving([folder], bases_cache, "--engine", "llamacpp") as client:
        first, said = answered(client, "tiny")
        train_otherwise(project)
        project.export("gguf")  # in exports/, in the place of the one before
        results: list[Any] = []
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                results.append(answer_to(client, "tiny", ROWS[0]))

        asking = threading.Thread(target=ask)
        asking.start()
        second = command(folder, capsys, "deploy", "--engine", "llamacpp")["version"]
        _, other = answered(client, "tiny")
        assert other != said
        assert command(folder, capsys, "rollback")["version"] == first
        over.set()
        asking.join()
        assert {version for version, _ in results} <= {first, second}
        assert len(results) > 2
        for version, told in results:
            assert_alike([told], (said if version == first else other)[:1])
        assert_alike(answered(client, "tiny")[1], said)
        engines = {one.id: one.model_extra["tunesmith"]["engine"] for one in client.models.list().data}
        assert engines == {"tiny": "llamacpp", first: "llamacpp"}
    with serving([folder], bases_cache, "--arithmetic", "f16", key=client.api_key) as client:
        version, told = answered(client, "tiny")
        assert version == first
        assert_alike(told, said)
    kept = sorted(path.name for path in (folder / ".tunesmith" / "serve" / "exports").iterdir())
    assert [name.rpartition("-gguf-")[2] for name in kept] == ["f16", "f16-in-float32", "f16-in-float32"]
    id = project.product("split").ids("train")[0]
    with project.forgetting([id]) as plan:
        assert {f".tunesmith/serve/exports/{name}" for name in kept} <= set(plan.models)
