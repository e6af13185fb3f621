"""A small project up to the stage `test`, made on disk, and a learner that says what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from tunesmith.artifact import write_json
from tunesmith.example import Example, Message, Source, make_example
from tunesmith.example_parquet import LEDGER, SET_ASIDE_ROWS, TRAINED, ExampleWriter, RowWriter
from tunesmith.learners.protocol import Prediction
from tunesmith.products import (
    CERTIFICATE,
    PARTS,
    BaseModel,
    CleanSet,
    Collection,
    Criterion,
    Dataset,
    Forgetting,
    GoalSheet,
    GroupGain,
    Report,
    Splits,
    TunedModel,
)
from tunesmith.stages.context import Context
from tunesmith.stages.test.run import run
from tunesmith.stages.test.settings import TestSettings
from tunesmith.test_lock import test_lock as lock_of

_ROWS = pa.schema(
    [
        ("id", pa.string()),
        ("tokens", pa.list_(pa.int32())),
        ("trained", pa.list_(pa.bool_())),
        ("label", pa.int32()),
        ("weight", pa.float64()),
        ("prompt_tokens", pa.int32()),
    ]
)
PROMPT_TOKENS, ANSWER_TOKENS = 20, 15


@dataclass
class FakeLearner:
    """Answers from a table: ``says[candidate, schema enforced]`` is one answer a test row."""

    says: Mapping[tuple[str, bool], Sequence[str]]
    confidence: Sequence[float] | None = None
    finished: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)

    def find(self, name: str) -> Any:
        return SimpleNamespace(predict=SimpleNamespace(predict=self._predict), name=name)

    def _predict(
        self,
        candidate: str,
        base: BaseModel,
        goal: GoalSheet,
        tuned: TunedModel | None,
        prompts: Sequence[tuple[Message, ...]],
        *,
        max_new_tokens: int,
        enforce_schema: bool,
        on_progress: Callable[[int, int], None],
    ) -> list[Prediction]:
        self.asked.append(
            {"candidate": candidate, "prompts": prompts, "limit": max_new_tokens, "enforced": enforce_schema}
        )
        on_progress(len(prompts), len(prompts))
        texts = self.says.get((candidate, enforce_schema), self.says[candidate, False])
        sure = self.confidence or [0.9] * len(texts)
        return [Prediction(text, sure[row], 7, 0.25, self.finished) for row, text in enumerate(texts)]


@dataclass
class Made:
    """What the stage made: its counts, its report as the product reads it, and the learner that was asked."""

    counts: dict[str, Any]
    report: Report
    learner: FakeLearner
    folder: Path

    @property
    def html(self) -> str:
        return (self.folder / "report.html").read_text(encoding="utf-8")

    @property
    def markdown(self) -> str:
        return (self.folder / "report.md").read_text(encoding="utf-8")


class ProjectMaker:
    """Makes the products that the stage reads, and runs the stage on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.context_tokens = 8192

    def goal(self, output: str, **more: Any) -> GoalSheet:
        success = tuple(Criterion(metric, at_least) for metric, at_least in more.pop("success", ()))
        return GoalSheet("text", output, "Do the task.", success=success, **more)  # type: ignore[arg-type]

    def run(
        self,
        goal: GoalSheet,
        test: Sequence[tuple[str, str]],
        base: Sequence[str],
        tuned: Sequence[str],
        *,
        enforced: tuple[Sequence[str], Sequence[str]] | None = None,
        confidence: Sequence[float] | None = None,
        finished: bool = True,
        facts: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        trained: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Made:
        says = {("base", False): base, ("tuned", False): tuned}
        if enforced is not None:
            says |= {("base", True): enforced[0], ("tuned", True): enforced[1]}
        learner = FakeLearner(says, confidence, finished)
        inputs = self.inputs(goal, test, tags)
        inputs["train"] = replace(inputs["train"], **dict(trained or {}))
        folder = self.root / "out"
        folder.mkdir()
        context = Context("test", self.root, folder, self.root / "cache", seed=3, facts=dict(facts or {}))
        chosen = TestSettings(**{"resamples": 1000, "raccoon": "off", **settings})  # a table answers its own rows alone
        counts = run(inputs, chosen, context, find_learner=learner.find)
        artifact = SimpleNamespace(path=folder, read_json=lambda name: _json(folder / name))
        return Made(counts, Report.open(artifact), learner, folder)  # type: ignore[arg-type]

    def learner(self, base: Sequence[str], tuned: Sequence[str]) -> FakeLearner:
        return FakeLearner({("base", False): base, ("tuned", False): tuned})

    def inputs(
        self, goal: GoalSheet, test: Sequence[tuple[str, str]], tags: Sequence[str] | None = None
    ) -> dict[str, Any]:
        rows = [self._example(number, *pair) for number, pair in enumerate(test, 1)]
        if tags is not None:
            rows = [replace(row, tags=(tag,)) for row, tag in zip(rows, tags, strict=True)]
        others = [self._example(number, f"seen input {number}", f"seen {number}") for number in range(1001, 1041)]
        parts = {"train": others[:36], "validation": others[36:], "test": rows}
        everything = [row for part in parts.values() for row in part]
        return {
            "goal": goal,
            "base": self._base(),
            "collect": self._collection(len(everything)),
            "clean": self._clean(everything),
            "format": self._dataset(everything),
            "split": self._splits(parts),
            "train": self._tuned(parts["train"]),
        }

    def _example(self, row: int, text: str, answer: str) -> Example:
        return make_example([Message.of("user", text), Message.of("assistant", answer)], Source("tickets.csv", row))

    def _base(self) -> BaseModel:
        return BaseModel(
            "SmolLM2-135M-Instruct", "causal_lm", self.root / "base", 134_515_008, self.context_tokens, "Apache-2.0",
            ("en",), "hub: HuggingFaceTB/SmolLM2-135M-Instruct", "ab" * 32, "small enough for this machine",
        )  # fmt: skip

    def _collection(self, examples: int) -> Collection:
        path = self._folder("collect")
        with RowWriter(path / "set_aside.parquet", SET_ASIDE_ROWS) as writer:
            writer.write(
                {"uri": "tickets.csv", "row": 7, "code": "bad_row", "evidence": "3 columns, not 4", "raw": "a,b,c"}
            )
        sources = {"path": "tickets.csv", "shape": "columns", "rows": examples + 4, "examples": examples + 3}
        return Collection(path, ({**sources, "set_aside": 1, "sha256": "cd" * 32, "mapping": {}},), {})

    def _clean(self, examples: Sequence[Example]) -> CleanSet:
        path = self._folder("clean")
        gone = [self._example(2001, "twice told", "x"), self._example(2002, "a hollow one", " ")]
        for name, kept in (("examples", examples), ("set_aside", gone)):
            with ExampleWriter(path / f"{name}.parquet") as examples_writer:
                for example in kept:
                    examples_writer.add(example)
        with RowWriter(path / "ledger.parquet", LEDGER) as writer:
            writer.write({"id": gone[0].id, "state": "merged", "code": "duplicate", "evidence": "same as line 4"})
            writer.write({"id": gone[1].id, "state": "set_aside", "code": "empty", "evidence": "the answer is blank"})
        return CleanSet(path, {"kept": len(examples), "by_code": {"duplicate": 1, "empty": 1}})

    def _dataset(self, examples: Sequence[Example]) -> Dataset:
        path = self._folder("format")
        with RowWriter(path / "rows.parquet", _ROWS) as writer:
            for example in examples:
                length = PROMPT_TOKENS + ANSWER_TOKENS
                row = {"tokens": [1] * length, "trained": [True] * length, "weight": 1.0}
                writer.write({"id": example.id, "prompt_tokens": PROMPT_TOKENS, **row})
        with RowWriter(path / "set_aside.parquet", LEDGER) as writer:
            writer.write({"id": "gone", "state": "set_aside", "code": "too_long", "evidence": "tickets.csv:9: 9,000"})
        return Dataset(path, {"median": 35, "longest": 35}, {"rows": len(examples)})

    def _splits(self, parts: Mapping[str, Sequence[Example]]) -> Splits:
        path = self._folder("split")
        for part, rows in parts.items():
            with RowWriter(path / f"{part}.parquet", pa.schema([("id", pa.string())])) as writer:
                for row in rows:
                    writer.write({"id": row.id})
        schema = pa.schema([(name, pa.string()) for name in ("id", "reason", "like")])
        with RowWriter(path / "left_out.parquet", schema) as writer:
            row = parts["train"][0]
            writer.write({"id": row.id, "reason": "too_like_a_test_row", "like": parts["test"][0].id})
        pair = {"similarity": 0.66, "parts": ["train", "test"], "ids": ["a", "b"], "where": ["t.csv:2", "t.csv:9"]}
        certificate = {
            "limit": 0.7,
            "every_pair_compared": True,
            "leaks": {"train_test": 0, "train_validation": 0, "validation_test": 0},
            "highest": [pair],
            "group": None,
            "groups_straddling": 0,
            "random_split": {"draws": 5, "test": 3.2, "validation": 1.0, "test_rows": 12, "validation_rows": 9},
            "locks": {part: lock_of(rows) for part, rows in parts.items()},
        }
        write_json(path / CERTIFICATE, certificate)
        facts = {"test_sha256": lock_of(parts["test"]), "left_out": 1, "random_would_leak": 3}
        return Splits(path, facts, {}, PARTS, "test")

    def _tuned(self, rows: Sequence[Example]) -> TunedModel:
        folder = self.root / ".tunesmith" / "artifacts" / "train-1"
        folder.mkdir(parents=True)
        with RowWriter(folder / "examples.parquet", TRAINED) as writer:
            for number, row in enumerate(rows):
                writer.write({"id": row.id, "steps": [1, 2], "times_kept": 2, "loss": 1 / (1 + number)})
        curve = [{"step": step, "train_loss": 2.2 / step**0.6} for step in range(1, 49)]
        curve += [
            {"step": step, "validation_loss": 1.9 / (step + 1) ** 0.4 + step / 200, "validation_accuracy": step / 60}
            for step in range(0, 49, 6)
        ]
        words = "The model learned: validation loss 1.900 before training, 0.612 at its best (step 36 of 48)."
        recipe = {"learner": "causal_lm", "method": "lora", "learning_rate": 0.0004, "epochs": 3.0, "words": "48 steps"}
        return TunedModel(
            folder / "model",
            "causal_lm",
            recipe,
            tuple(curve),
            {"code": "learned", "words": words, "try": ""},
            {"best_step": 36, "peak_memory_bytes": 1_900_000_000},
            (
                GroupGain("label", "a", 5, 2.0, 1.5, 0.25, 0.75, 0.4, 0.6),
                GroupGain("label", "<b>bold</b>", 4, 2.0, 1.25, -0.25, 1.0, 0.25, 0.75),
                GroupGain("label", "", 1, 2.0, 1.0, None, None, 0.0, 1.0),
            ),
            Forgetting("little_lost", "A little general ability was lost: +0.31.", "It may not matter.", 24, 0.6, 0.91),
        )

    def _folder(self, name: str) -> Path:
        path = self.root / "made" / name
        path.mkdir(parents=True)
        return path


def _json(path: Path) -> Any:
    import json

    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> ProjectMaker:
    return ProjectMaker(tmp_path)
