"""`tunesmith serve` on trained models: what it answers is what the model answers."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openai
import pytest
from jsonschema import Draft202012Validator

from tests.recipes.small_project import environment
from tests.recipes.tiny_project import KINDS, write_base, write_tiny_project
from tunesmith import Project
from tunesmith.example import Message
from tunesmith.plugins import learner

#: One pass over the rows is enough for an answer of one's own.
QUICK = {
    "text": replace(KINDS["language_model"], train="method: lora, epochs: 1, batch_size: 16, learning_rate: 0.01"),
    "labels": replace(KINDS["classifier"], train="epochs: 1, batch_size: 22, learning_rate: 0.001"),
}
TEXTS = ("My tent is torn.", "The lamp has not come", "stove", "Hi, the map was charged twice!", "x")


@dataclass(frozen=True)
class Served:
    """The server's projects by name, and a client of it."""

    projects: dict[str, Project]
    client: openai.OpenAI

    def ask(self, model: str, text: str, **more: Any) -> Any:
        messages = [{"role": "user", "content": text}]
        return self.client.chat.completions.create(model=model, messages=messages, **more)  # type: ignore[call-overload]


@contextmanager
def serving(folders: list[Path], bases_cache: Path, *words: str, key: str = "") -> Iterator[openai.OpenAI]:
    """A client of `tunesmith serve`; ``key``: of an earlier start, where this is not the first."""
    command = [sys.executable, "-m", "tunesmith.cli", "serve", *map(str, folders), "--port", "0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(bases_cache))
    try:
        assert process.stdout is not None
        said = ""
        while not (found := re.search(r"Serving on (http://\S+);", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        [key] = re.findall(r"^tunesmith-\S+$", said, re.MULTILINE) or [key]
        yield openai.OpenAI(base_url=found[1], api_key=key, max_retries=0, timeout=120)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, bases_cache: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    projects = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_CACHE", str(folder / "cache"))
        patch.setenv("TUNESMITH_OFFLINE", "1")
        for name, kind in QUICK.items():
            place = write_tiny_project(folder / name, kind, write_base(folder / f"base-{name}", kind))
            settings = (place / "tunesmith.yaml").read_text(encoding="utf-8").replace("name: tiny", f"name: {name}")
            (place / "tunesmith.yaml").write_text(settings, encoding="utf-8")
            projects[name] = Project.open(place)
            projects[name].run(to="train")
    with serving([project.root for project in projects.values()], bases_cache, "--engine", "torch") as client:
        yield Served(projects, client)


def predicted(project: Project, texts: tuple[str, ...], limit: int) -> Any:
    goal, base, tuned = (project.product(stage) for stage in ("goal", "base", "train"))
    prompts = [(Message.of("user", text),) for text in texts]
    return learner(tuned.learner).predict.predict("tuned", base, goal, tuned, prompts, max_new_tokens=limit)


def test_the_served_model_answers_as_the_tested_one(served: Served) -> None:
    expected = predicted(served.projects["text"], TEXTS, 30)
    for text, prediction in zip(TEXTS, expected, strict=True):
        answer = served.ask("text", text, max_tokens=30)
        chunks = served.ask("text", text, max_tokens=30, stream=True)
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert answer.choices[0].message.content == streamed == prediction.text
        assert answer.model_extra["tunesmith"]["confidence"] == pytest.approx(prediction.confidence, abs=1e-4)
        assert (answer.choices[0].finish_reason == "stop") == prediction.finished
        assert answer.usage.completion_tokens == prediction.tokens


def test_the_longest_answer_is_as_in_the_test_unless_another_is_asked_for(served: Served) -> None:
    longest = max(len(row.tokens) - row.prompt_tokens for row in served.projects["text"].product("format").rows())
    assert served.ask("text", "x", temperature=2.0, seed=3).usage.completion_tokens <= 3 * longest // 2


def test_drawn_answers_differ_by_seed_alone(served: Served) -> None:
    def draw(seed: int) -> str:
        return str(served.ask("text", "stove", temperature=1.5, seed=seed, max_tokens=20).choices[0].message.content)

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(4)}) > 1


def test_an_answer_keeps_to_the_schema_that_is_asked_for(served: Served) -> None:
    schema = {
        "type": "object",
        "properties": {"team": {"enum": ["north", "south"]}, "urgent": {"type": "boolean"}},
        "required": ["team", "urgent"],
        "additionalProperties": False,
    }
    asked = {"type": "json_schema", "json_schema": {"name": "ticket", "schema": schema, "strict": True}}
    for more in ({}, {"temperature": 1.0, "seed": 1}):
        answer = served.ask("text", "My tent is torn.", response_format=asked, max_tokens=60, **more)
        assert Draft202012Validator(schema).is_valid(json.loads(answer.choices[0].message.content))
    bad = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}}
    with pytest.raises(openai.BadRequestError) as refused:
        served.ask("text", "x", response_format=bad)
    assert refused.value.code == "schema_not_enforceable"


def test_scores_of_many_at_once_are_those_of_each_alone(served: Served) -> None:
    project = served.projects["labels"]
    texts = tuple(f"{text} {'again ' * (number % 5)}" for number in range(8) for text in TEXTS)
    expected = [predicted(project, (text,), 0)[0] for text in texts]

    def ask(text: str) -> Any:
        found = served.client.post("/classifications", cast_to=object, body={"model": "labels", "input": text})
        return found["data"][0]  # type: ignore[index]

    with ThreadPoolExecutor(16) as clients:
        found = list(clients.map(ask, texts))
    assert [one["label"] for one in found] == [one.text for one in expected]
    assert [one["probability"] for one in found] == pytest.approx([one.confidence for one in expected], abs=1e-5)
    assert all(sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5) for one in found)


def test_vectors_are_of_unit_length_and_alike_for_texts_alike(served: Served) -> None:
    texts = ["My tent is torn.", "My tent is torn.", "Hi, the map was charged twice!"]
    first, same, other = (one.embedding for one in served.client.embeddings.create(model="labels", input=texts).data)
    assert sum(value * value for value in first) == pytest.approx(1, abs=1e-4)
    assert first == pytest.approx(same, abs=1e-4)
    assert first != pytest.approx(other, abs=1e-4)


def test_keys_are_kept_as_hashes_for_their_owner_alone(served: Served) -> None:
    path = next(iter(served.projects.values())).root / ".tunesmith" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert served.client.api_key not in path.read_text(encoding="utf-8")


def test_what_cannot_be_served_is_told_before_anything_is_loaded(tmp_path: Path, capsys: Any) -> None:
    from tunesmith.cli.main import main

    Project.create(tmp_path / "new", input="text", output="label")
    assert main(["serve", str(tmp_path / "new")]) == 2
    assert "[not_made]" in capsys.readouterr().err
    assert main(["serve", str(tmp_path / "new"), "--port", "99999"]) == 2
    assert "[wrong_number]" in capsys.readouterr().err
    assert main(["serve", str(tmp_path / "new"), "--new-key", "website", "--at-once", "2"]) == 0
    assert re.search(r"^tunesmith-\S{40,}$", capsys.readouterr().out, re.MULTILINE)
    assert main(["serve", str(tmp_path / "new"), "--keys"]) == 0
    assert "website" in capsys.readouterr().out
    assert main(["serve", str(tmp_path / "new"), "--revoke", "website"]) == 0
    assert main(["serve", str(tmp_path / "new"), "--revoke", "website"]) == 2
    assert "[unknown_key_name]" in capsys.readouterr().err
