"""A trained model at llama.cpp's own server, asked through ours: proven by replay, by token ids and by messages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.recipes.test_export import SETTINGS
from tests.recipes.test_serve import predicted, serving
from tests.recipes.tiny_project import rows
from tests.unit.upstream_double import upstream
from tunesmith import Project
from tunesmith.cli.main import main
from tunesmith.engines.llamacpp import LlamaCpp

TEXTS = ("My tent is torn.", "Hi, the map was charged twice!", "Help: this größer stove 😀 has not come.")


@dataclass(frozen=True)
class At:
    """A trained project, and llama.cpp's server with its model."""

    project: Path
    url: str
    key: str


# A server of its own with a trained model: what needs none is held in tests/unit/server/test_upstream_server.py.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory, bases_cache: Path) -> Iterator[At]:
    folder = tmp_path_factory.mktemp("upstream") / "chat"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_CACHE", str(bases_cache))
        project = Project.open(folder)
        project.run(to="train")
        [gguf] = project.export("gguf", precision="f32").folder.glob("*.gguf")
    with LlamaCpp.open(gguf, context=512, threads=2, parallel=2) as engine:
        url, key = engine.address
        yield At(folder, f"{url}/v1", key)


@pytest.fixture
def project(at: At, tmp_path: Path, bases_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the project that knows the server."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    monkeypatch.setenv("UP_KEY", at.key)
    folder = shutil.copytree(at.project, tmp_path / "project")
    with (folder / "tunesmith.yaml").open("a", encoding="utf-8") as file:
        file.write(f"serve: {{upstream: {{url: '{at.url}', key_env: UP_KEY, at_once: 2, timeout_seconds: 30}}}}\n")
    return Project.open(folder)


def certificates(project: Project) -> dict[str, Any]:
    """By the kind of the upstream."""
    found = (project.store.root / "serve" / "exports").glob("*/certificate.json")
    told = [json.loads(path.read_text(encoding="utf-8")) for path in found]
    return {one["form"].removesuffix("-upstream"): one for one in told}


def answers(client: openai.OpenAI, model: str) -> list[str]:
    def ask(text: str, **more: Any) -> Any:
        asked: Any = [{"role": "user", "content": text}]
        return client.chat.completions.create(model=model, messages=asked, max_tokens=40, **more)

    whole = [str(ask(text).choices[0].message.content) for text in TEXTS]
    streamed = ["".join(part.choices[0].delta.content or "" for part in ask(text, stream=True)) for text in TEXTS]
    assert streamed == whole
    return whole


def test_a_model_at_llama_cpp_answers_as_the_trained_one_by_ids_and_by_messages(
    project: Project, bases_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving([project.root], bases_cache, "--engine", "vllm") as client:
        by_ids = answers(client, "tiny")
        words = ["deploy", "--engine", "openai", "--as", "words", "--project", str(project.root), "--json"]
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == "done"
        by_messages = answers(client, "tiny:words")
        cards = {card.id: card.model_extra for card in client.models.list()}
    assert by_messages == by_ids
    assert [cards[name]["tunesmith"]["engine"] for name in ("tiny", "tiny:words")] == ["vllm", "openai"]  # type: ignore[index]
    found = certificates(project)
    for kind, prompts in (("vllm", 6), ("openai", None)):
        one = found[kind]
        assert (one["rows"], one["prompts_equal"]) == (6, prompts)
        assert one["answers_equal"] + one["explained"] == 6
        assert len(one["probes"]) == 5
    assert found["vllm"]["shifts"]["largest"] < 0.01
    assert "as many tokens in the prompt as training had on 6 of 6 rows." in " ".join(found["openai"]["notes"])
    assert by_ids == [one.text for one in predicted(project, TEXTS, 40)]


def at_another(project: Project, url: str) -> None:
    upstream = project.settings.serve.upstream
    assert upstream is not None
    text = project.file.read_text(encoding="utf-8")
    project.file.write_text(text.replace(upstream.url, url), encoding="utf-8")


@pytest.mark.parametrize("kind", ["vllm", "openai"])
def test_a_server_with_another_model_is_refused_with_the_rows_that_differ(
    project: Project, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with upstream(say=lambda text: "something else") as double:
        at_another(project, double.url)
        assert main(["deploy", "--engine", kind, "--project", str(project.root)]) == 1
    said = capsys.readouterr().err
    assert f"{kind}-upstream does not answer as the trained model does" in said
    assert "of the answers are the trained model's" in " ".join(said.split())
    assert "became" in said
    assert list((project.store.root / "serve" / "exports").glob("*.refused.md"))


def test_without_a_server_the_command_that_starts_one_is_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with upstream() as gone:
        pass
    at_another(project, gone.url)
    assert main(["serve", "--engine", "vllm", "--project", str(project.root)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "upstream_down" in said
    assert "tunesmith export --to vllm" in said
    assert "serve.sh --host 127.0.0.1 --port 8001" in said
    project.file.write_text(project.file.read_text(encoding="utf-8").partition("serve:")[0], encoding="utf-8")
    assert main(["serve", "--engine", "openai", "--project", str(project.root)]) == 2
    assert "no_upstream" in capsys.readouterr().err
