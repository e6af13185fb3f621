"""Real models, tiny ones, exported by the real converter and replayed by the real engines."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.recipes.tiny_project import KINDS, rows, write_base, write_tiny_project
from tunesmith import Project
from tunesmith.artifact import sha256_of
from tunesmith.cli.main import main
from tunesmith.errors import TunesmithError

SETTINGS = """\
version: 1
name: tiny
goal: {input: text, output: text, system: 'Be "kind", and brief.', success: [{metric: rouge_l, at_least: 0.1}]}
base: {model: scratch, parameters: 60k, vocabulary: 400, context: 256}
collect:
  - {path: rows.jsonl, input: text, output: reply}
clean: {drop: [duplicate]}
split: {train: 0.7, validation: 0.15, test: 0.15}
train: {epochs: 6, batch_size: 8, learning_rate: 0.01, validations: 2, precision: float32}
export: {rows: 6, score_loss_at_most: 0.2}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, bases_cache: Path) -> Path:
    """A language model of a project's own rows, trained in a few seconds."""
    folder = tmp_path_factory.mktemp("export") / "chat"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    (folder / "tunesmith.yaml").write_text(SETTINGS, encoding="utf-8")
    Project.open(folder).run(to="train")
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path, bases_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it, whose exports are its own."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    return Project.open(shutil.copytree(trained, tmp_path / "project"))


def test_a_gguf_answers_as_the_trained_model_does(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, int, int]] = []
    made = project.export("gguf", precision="f32", tell=lambda *step: told.append(step))
    assert {("asking the trained model", 0, 6), ("asking gguf-f32", 0, 6)} <= set(told)  # before the first answer
    assert told[-1][0] == "comparing the answers"
    found = made.certificate
    assert found["rows"] == found["prompts_equal"] == 6
    assert found["answers_equal"] + found["explained"] == 6
    assert found["shifts"]["median"] < 1e-4
    manifest = json.loads((made.folder / "manifest.json").read_text())
    assert {"tiny-f32.gguf", "README.md", "certificate.json", "certificate.md"} <= set(manifest["files"])
    for name, entry in manifest["files"].items():
        assert sha256_of(made.folder / name) == entry["sha256"]
    id = project.product("split").ids("train")[0]
    with project.forgetting([id]) as plan:
        assert "exports/gguf-f32" in plan.models
    again = project.export("gguf", precision="f32")
    assert (made.fresh, again.fresh) == (True, False)
    assert main(["export", "--to", "gguf", "--precision", "f32", "--project", str(project.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompts_equal"] == 6
    assert sorted(path.name for path in (project.root / "exports").iterdir()) == ["gguf-f32"]


def test_an_engine_whose_parent_ends_while_it_loads_the_model_ends_too(project: Project) -> None:
    [gguf] = project.export("gguf").folder.glob("*.gguf")
    told = {"model": str(gguf), "context": 256, "threads": 1, "parallel": 1, "key": "k"}
    command = [sys.executable, "-m", "tunesmith.engines.llamacpp_child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.close()
        child.stdin.write(json.dumps(told).encode() + b"\n")
        child.stdin.close()
        try:
            child.wait(60)
        finally:
            child.kill()


def test_a_16_bit_gguf_has_the_tested_weights_and_answers_with_them_in_float32(project: Project) -> None:
    """As `tunesmith serve` runs it: the very numbers of the 32-bit file, by the same arithmetic."""
    import gguf
    import numpy as np

    from tunesmith.engines.llamacpp import LlamaCpp

    [half], [exact] = (project.export("gguf", precision=one).folder.glob("*.gguf") for one in ("f16", "f32"))
    ours, theirs = (gguf.GGUFReader(path).tensors for path in (half, exact))
    assert {tensor.tensor_type.name for tensor in ours} == {"F16", "F32"}
    assert len(ours) == len(theirs) > 10
    for one, other in zip(ours, theirs, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.data.astype(np.float32), other.data)
    found = []
    for path, wide in ((half, True), (exact, False)):
        with LlamaCpp.open(path, context=256, threads=1, wide=wide) as engine:
            found.append(engine.complete(engine.prompt_tokens([{"role": "user", "content": "Hi"}]), 20))
    assert found[0].logprobs == found[1].logprobs
    assert found[0].tokens == found[1].tokens


def test_a_form_for_ollama_has_a_modelfile_and_is_held_to_its_score(project: Project) -> None:
    found = project.export("ollama", precision="q4_1").certificate
    assert found["prompts_equal"] == found["rows"]
    assert [score["metric"] for score in found["scores"] if score["bound"]] == ["rouge_l"]
    words = (project.root / "exports" / "ollama-q4_1" / "Modelfile").read_text(encoding="utf-8")
    assert words.startswith("FROM ./tiny-q4_1.gguf\n")
    assert 'SYSTEM """Be "kind", and brief."""' in words
    assert 'PARAMETER stop "<|end|>"' in words


def test_a_folder_for_the_hub_asks_with_the_system_prompt_by_itself(project: Project) -> None:
    from transformers import AutoTokenizer

    made = project.export("hf")
    assert made.certificate["answers_equal"] == 6
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    said = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert said.startswith('<|system|>Be "kind", and brief.<|end|><|user|>Hi')
    own = [{"role": "system", "content": "Else."}, {"role": "user", "content": "Hi"}]
    assert tokenizer.apply_chat_template(own, tokenize=False).startswith("<|system|>Else.<|end|>")


def _lose_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith.learners.causal_lm import load, whole

    monkeypatch.setattr(whole, "load_tuned", lambda base, folder: load.load_base(base))


def _lose_the_system_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    from tunesmith.learners.causal_lm import whole

    monkeypatch.setattr(whole, "template_with_system", lambda template, system: template)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_lose_the_training, "of the answers are"),
        pytest.param(_lose_the_system_prompt, "of 6 prompts are not those", marks=pytest.mark.slow),
    ],
)
def test_an_export_that_answers_otherwise_is_refused(
    break_it: Any, words: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    with pytest.raises(TunesmithError) as caught:
        project.export("hf")
    assert (caught.value.code, caught.value.exit_code) == ("export_refused", 1)
    assert words in caught.value.what
    assert "row " in caught.value.what
    assert sorted(path.name for path in (project.root / "exports").iterdir()) == [
        "hf-float32.refused.json",
        "hf-float32.refused.md",
    ]
    monkeypatch.undo()
    assert Project.open(project.root).export("hf").fresh
    assert [path.name for path in (project.root / "exports").iterdir()] == ["hf-float32"]


def test_a_folder_that_no_export_wrote_is_left_alone(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(TunesmithError, match="export_in_the_way"):
        project.export("hf", out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


@pytest.mark.slow
def test_shrink_names_the_smallest_form_that_keeps_to_the_bounds(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--shrink", "--project", str(project.root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    forms = {one["form"]: one for one in told["tried"]}
    assert list(forms) == ["gguf-f16", "gguf-q8_0", "gguf-q5_1", "gguf-q4_1"]
    sizes = [one["bytes"] for one in forms.values()]
    assert sizes == sorted(sizes, reverse=True)
    kept = [one for one in forms.values() if one["kept"]]
    assert told["smallest"] == min(kept, key=lambda one: one["bytes"])["form"]


@pytest.mark.slow
def test_a_classifier_as_onnx_gives_the_trained_model_s_labels(
    tmp_path: Path, bases_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_CACHE", str(bases_cache))
    kind = KINDS["classifier"]
    folder = write_tiny_project(tmp_path / "labels", kind, write_base(tmp_path / "base", kind))
    project = Project.open(folder)
    project.run(to="train")
    exact = project.export("onnx").certificate
    assert exact["prompts_equal"] == exact["answers_equal"] == exact["rows"]
    assert exact["shifts"]["largest"] < 1e-4
    small = project.export("onnx", precision="int8", rows=3).certificate
    assert small["bytes"] < exact["bytes"]
    assert project.export("hf").certificate["answers_equal"] == exact["rows"]
    with pytest.raises(TunesmithError, match="unknown_form"):
        project.export("gguf")
