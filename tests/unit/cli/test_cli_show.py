"""`tunesmith show`: each stage's product in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tunesmith.artifact import write_json
from tunesmith.cli.arguments import STAGES
from tunesmith.cli.show.split import leak_note
from tunesmith.cli.show.train import POINTS_SHOWN, curve_points
from tunesmith.example import Example, Message, Score, Source, make_example
from tunesmith.example_parquet import LEDGER, SET_ASIDE_ROWS, TRAINED, ExampleWriter, RowWriter
from tunesmith.products import (
    PARTS,
    Advice,
    BaseModel,
    CleanSet,
    Collection,
    Criterion,
    Dataset,
    Forgetting,
    GoalSheet,
    GroupGain,
    LedgerLine,
    Report,
    SetAsideRow,
    Splits,
    TunedModel,
)
from tunesmith.scoring.paired import Difference

Command = Callable[..., Any]


def test_each_stage_has_its_page() -> None:
    folder = Path(__file__).parents[3] / "tunesmith" / "cli" / "show"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__", "coverage"} == set(STAGES)


def test_goal(project: Any, command: Command) -> None:
    schema = {"properties": {"category": {"enum": ["billing", "delivery"]}, "reply": {"type": "string"}}}
    success = (Criterion("field_f1", 0.8),)
    project.products["goal"] = GoalSheet(
        "text",
        "json",
        "Answer [b]tickets[/b].",
        schema=schema,
        success=success,
        unknown="hand_off",
        inferred=("system",),
    )
    out = command("show", "goal").out
    for words in (
        "text → json",
        "Answer [b]tickets[/b].",
        "category (one of billing, delivery), reply (string)",
        "field_f1 at least 0.8",
        "handed off to a person below a confidence of 0.5",
    ):
        assert words in out


def test_base(project: Any, command: Command) -> None:
    reason = "auto chose it: the largest that trains within 20 minutes here."
    project.products["base"] = BaseModel(
        "small",
        "causal_lm",
        Path("/cache/small"),
        134_515_008,
        8192,
        "Apache-2.0",
        ("en",),
        "wheel:x==1",
        "ab12",
        reason,
    )
    out = command("show", "base").out
    for words in (reason, "134,515,008", "8,192 tokens", "Apache-2.0", "ab12", "/cache/small"):
        assert words in out


def test_collect_tells_the_place_and_reason_of_each_row_set_aside(
    project: Any, command: Command, tmp_path: Path
) -> None:
    with RowWriter(tmp_path / "set_aside.parquet", SET_ASIDE_ROWS) as writer:
        for row in range(12):
            writer.write(asdict(SetAsideRow("t.csv", row + 2, "unequal_columns", "3 cells, 4 columns", "a,b,c")))
    source = {
        "path": "t.csv",
        "shape": "columns",
        "mapping": {"input": "body", "output": ["category", "reply"]},
        "rows": 1312,
        "examples": 1300,
        "set_aside": 12,
    }
    project.products["collect"] = Collection(tmp_path, (source,), {})
    out = command("show", "collect").out
    assert "input: body; output: category, reply" in out
    assert "1,312" in out
    assert "t.csv:2: 3 cells, 4 columns [unequal_columns]" in out
    assert "… and 2 more" in out


@pytest.fixture
def clean(tmp_path: Path) -> CleanSet:
    """Five conflicts set aside, one label mended, one duplicate merged."""
    examples = [
        make_example(
            [Message.of("user", f"question {n} \x1b[2J"), Message.of("assistant", "a")], Source("t.csv", n + 2)
        )
        for n in range(6)
    ]
    aside, kept = ExampleWriter(tmp_path / "set_aside.parquet"), ExampleWriter(tmp_path / "examples.parquet")
    with aside, kept:
        for example in examples[:5]:
            aside.add(example)
        kept.add(examples[5])
    with RowWriter(tmp_path / "ledger.parquet", LEDGER) as ledger:
        for example in examples[:5]:
            ledger.write(asdict(LedgerLine(example.id, "set_aside", "conflict", "also answered 'b'")))
        ledger.write(asdict(LedgerLine(examples[5].id, "changed", "label_spelling", "Billing  → billing")))
        ledger.write(asdict(LedgerLine("gone", "merged", "duplicate", "the same as t.csv:7", into=examples[5].id)))
    return CleanSet(tmp_path, {"in": 6, "kept": 1, "set_aside": 5})


def test_clean_tells_reasons_examples_and_the_way_back(project: Any, command: Command, clean: CleanSet) -> None:
    project.products["clean"] = clean
    out = command("show", "clean").out
    assert "in 6, kept 1, set aside 5" in out
    assert "5 set aside: conflict [conflict]" in out
    assert "question 0 ␛[2J" in out
    assert "gone  question 5 ␛[2J" in out
    assert "… and 2 more" in out
    assert "1 fixed: label spelling [label_spelling]" in out
    assert "Billing  → billing" in out
    assert "tunesmith clean --restore ID…, or by reason: --restore conflict" in out


def test_clean_says_when_nothing_was_taken_out(project: Any, command: Command, tmp_path: Path) -> None:
    with RowWriter(tmp_path / "ledger.parquet", LEDGER):
        pass
    project.products["clean"] = CleanSet(tmp_path, {"in": 6, "kept": 6})
    assert "Nothing was fixed or taken out." in command("show", "clean").out


def test_format(project: Any, command: Command, tmp_path: Path) -> None:
    with RowWriter(tmp_path / "set_aside.parquet", LEDGER) as writer:
        writer.write(asdict(LedgerLine("a1", "set_aside", "too_long", "t.csv:9: 3,000 tokens")))
    facts = {"max_tokens": 2048, "tokens": 40_000, "trained_tokens": 9000, "longest": 812, "median": 90}
    project.products["format"] = Dataset(tmp_path, facts, {"rows": 300})
    out = command("show", "format").out
    for words in ("40,000", "9,000", "812 tokens", "2,048 tokens", "1 set aside: too long", "t.csv:9: 3,000 tokens"):
        assert words in out


def test_split(project: Any, command: Command, tmp_path: Path) -> None:
    for part, size in {"train": 80, "validation": 10, "test": 10}.items():
        with RowWriter(tmp_path / f"{part}.parquet", pa.schema([("id", pa.string())])) as writer:
            for number in range(size):
                writer.write({"id": f"{part}{number}"})
    pairs = [
        {"similarity": 0.66, "parts": ["train", "test"], "ids": ["a1", "b2"], "where": ["t.csv:2", "t.csv:9"]},
        {"similarity": 0.5, "parts": ["train", "validation"], "ids": ["a1", "c3"], "where": ["t.csv:2", "t.csv:4"]},
    ]
    chance = {"draws": 5, "test": 3.2, "validation": 1, "test_rows": 10, "validation_rows": 10, "test_by_group": 4}
    write_json(
        tmp_path / "certificate.json",
        {"limit": 0.7, "every_pair_compared": True, "highest": pairs, "group": "customer", "random_split": chance},
    )
    names = ("id", "reason", "like", "where", "like_where")
    schema = pa.schema([*((name, pa.string()) for name in names), ("similarity", pa.float64())])
    with RowWriter(tmp_path / "left_out.parquet", schema) as writer:
        for number in range(12):
            writer.write(
                {
                    "id": f"l{number}",
                    "reason": "too_like_a_test_row",
                    "like": "b2",
                    "similarity": 0.8,
                    "where": f"t.csv:{50 + number}",
                    "like_where": "t.csv:9",
                }
            )
    facts = {
        "test_sha256": "ab12",
        "groups": 93,
        "largest_group": 4,
        "left_out": 12,
        "tested_before": 5,
        "by": "time",
        "not_as_asked": {"test": {"rows": 10, "wanted": 8, "why": "the largest group has 4 rows"}},
    }
    project.products["split"] = Splits(tmp_path, facts, {}, readable=PARTS, holder="test")
    out = command("show", "split").out
    assert "80.0%" in out
    assert "10.0%" in out
    assert "93 groups" in out
    flat = " ".join(out.split())
    for words in (
        "test: asked 8.0%, got 10.0%, since the largest group has 4 rows.",
        "5 rows were tested in an earlier round",
        "By time: the test part is the latest",
        "no row of one part is 70% like a row of another (every pair was compared)",
        "nearest: 66.0% a1 (t.csv:2, train) and b2 (t.csv:9, test)",
        "near copies of 3 of 10 test rows and of 1 of 10 validation rows",
        "No customer is in two parts.",
        "Left out: 12 rows",
        "t.csv:50 (l0) is 80.0% like t.csv:9: too_like_a_test_row",
        "… and 2 more",
        "ab12",
    ):
        assert words in flat


def test_what_trains_is_not_told_of_test_rows_by_the_certificate(tmp_path: Path) -> None:
    pairs = [{"parts": ["train", "test"]}, {"parts": ["train", "validation"]}]
    write_json(tmp_path / "certificate.json", {"highest": pairs})
    assert Splits(tmp_path, {}, {}).certificate() == {"highest": [{"parts": ["train", "validation"]}]}


def test_split_without_near_copies_says_so() -> None:
    [line] = leak_note({"groups": 9, "largest_group": 1, "random_would_leak": 0, "left_out": 0})
    assert line.startswith("No two inputs are equal")


CURVE = (
    {"step": 0, "validation_loss": 2.5, "validation_accuracy": 0.1},
    {"step": 1, "train_loss": 2.0, "train_accuracy": 0.25, "learning_rate": 1e-3, "gradient_norm": 3.0},
    {"step": 2, "train_loss": 1.0, "train_accuracy": 0.75, "learning_rate": 5e-4, "gradient_norm": 1.0},
    {"step": 2, "validation_loss": 1.25, "validation_accuracy": 0.5},
    {"step": 3, "train_loss": 0.5},
    {"step": 3, "validation_loss": 1.5, "validation_accuracy": 0.4},
)


def test_train(project: Any, command: Command, tmp_path: Path) -> None:
    facts = {
        "rows": 240,
        "validation_rows": 30,
        "parameters_trained": 4_884_480,
        "steps": 3,
        "best_step": 2,
        "stopped_early": True,
        "seconds": 200.0,
        "tokens_per_second": 2310.2,
        "computed_tokens_per_second": 769.8,
        "peak_memory_bytes": 2_500_000_000,
    }
    verdict = {"code": "overfitting", "words": "The model overfitted from step 2 on.", "try": "More examples."}
    groups = tuple(GroupGain("label", f"l{n}", 5, 2.0, 1.5 - n / 10, 0.25, 0.75, 0.4, 0.6) for n in range(9))
    groups += (GroupGain("label", "", 1, 2.0, 1.0, None, None, 0.0, 1.0),)
    project.products["train"] = TunedModel(
        tmp_path / "model",
        "causal_lm",
        {"words": "3 steps"},
        CURVE,
        verdict,
        facts,
        groups,
        Forgetting("much_lost", "Much general ability was lost: +0.91.", "Try fewer epochs.", 24, 0.6, 1.5),
    )
    rows = [_example(row, f"question {row}", "an answer") for row in range(1, 9)]
    with ExampleWriter(tmp_path / "examples.parquet") as examples:
        for row in rows:
            examples.add(row)
    project.products["clean"] = CleanSet(tmp_path, {})
    (tmp_path / "trained").mkdir()
    project.products["train"] = replace(project.products["train"], folder=tmp_path / "trained" / "model")
    with RowWriter(tmp_path / "trained" / "examples.parquet", TRAINED) as trained:
        for number, row in enumerate(rows):
            trained.write({"id": row.id, "steps": [1, 3], "times_kept": 1, "loss": 0.1 * number})
    out = command("show", "train").out
    table, hardest = out.split("\nHardest at the end")
    table, of_groups = table.split("\n\nWhat each group of validation rows gained")
    first = of_groups.splitlines()[2]
    assert " ".join(first.split()) == "label l0 5 2.00 → 1.50 0.50 (0.25 to 0.75) 40% → 60%"
    assert of_groups.splitlines()[10].strip() == "label  … and 2 that gained more"
    assert [line.split()[0] for line in hardest.splitlines()[2:]] == ["0.700", "0.600", "0.500", "0.400", "0.300"]
    assert f"0.700  twice    {rows[7].id}  tickets.csv:8: question 8" in hardest
    for words in (
        "overfitted from step 2",
        "More examples.",
        "Much general ability was lost: +0.91. Try fewer epochs.",
        "4,884,480 parameters",
        "stopped early",
        "3 min 20 s",
        "2.50 GB",
        "2,310 tokens/s (770 computed, since rows share 67% of their tokens)",
    ):
        assert words in out
    assert [line.split() for line in table.splitlines()[-3:]] == [
        ["0", "2.5000", "0.100"],
        ["2", "1.5000", "0.500", "1.2500", "0.500", "0.0005", "2", "best"],
        ["3", "0.5000", "1.5000", "0.400"],
    ]
    out = command("show", "train", "--example", rows[2].id[:10]).out
    for words in (
        f"tickets.csv:3: question 3 (id {rows[2].id})",
        "twice, in steps 1, 3",
        "once up to the step whose weights are kept",
        "0.200 the last time, number 6 of 8 from the highest",
    ):
        assert words in out
    for wrong in ("zzz", ""):
        refused = command("show", "train", "--example", wrong)
        assert refused.code == 2
        assert "an id that starts with" in refused.err
    assert command("show", "goal", "--example", "x").code == 2


def _example(row: int, text: str, answer: str) -> Example:
    return make_example([Message.of("user", text), Message.of("assistant", answer)], Source("tickets.csv", row))


def test_a_long_curve_is_thinned_but_keeps_first_last_and_best() -> None:
    curve = [{"step": step, "validation_loss": 1.0} for step in range(1001)]
    points = curve_points(curve, best_step=777)
    steps = [point[0] for point in points]
    assert len(points) <= POINTS_SHOWN + 3
    assert {"0", "777", "1,000"} <= set(steps)


def test_test(project: Any, command: Command, tmp_path: Path) -> None:
    scores = {"base": [Score("accuracy", 0.2, 50, 0.11, 0.33)], "tuned": [Score("accuracy", 0.9, 50, 0.79, 0.96)]}
    differences = [asdict(Difference("accuracy", "tuned", "base", 0.7, 50, 0.55, 0.82, 0.0001, "mcnemar_exact"))]
    verdict = {
        "code": "met",
        "words": "The goal is met.",
        "criteria": [],
        "comparison": {"words": "Tuning beats the base."},
    }
    hand_off = {"hand_off": {"words": "2 of 50 rows go to a person."}}
    project.products["test"] = Report(tmp_path, scores, differences, verdict, hand_off)
    out = command("show", "test").out
    for words in (
        "The goal is met.",
        "Tuning beats the base.",
        "20.0% (11.0% to 33.0%)",
        "90.0% (79.0% to 96.0%)",
        "tuned − base",
        "+70.0",
        "+55.0 to +82.0",
        "p < 0.001",
        "2 of 50 rows go to a person.",
        str(tmp_path / "report.html"),
    ):
        assert words in out


def test_advise(project: Any, command: Command, tmp_path: Path) -> None:
    cost = {"latency": 0.4, "seconds": 0.2, "tokens_in": 91.0, "tokens_out": 7.0, "per_thousand": None}
    cost |= {"priced_by": "", "memory": 540_000_000, "build": 75.0}
    score = {"metric": "accuracy", "value": 0.75, "n": 60, "low": 0.62, "high": 0.84}
    behind = {"value": 0.05, "low": -0.01, "high": 0.2, "p_holm": 0.3, "shown": False}
    arms = (
        {"name": "bare", "words": "the base with your prompt", "scores": [score], "meets": None, "behind": behind},
        {"name": "prompt", "words": "the base with a better prompt", "scores": [score], "meets": True, "behind": None},
    )
    advice = {"answer": "prompt", "arm": "prompt", "words": "Do not fine-tune: [b]a better prompt[/b] will do."}
    project.products["advise"] = Advice(
        tmp_path,
        (arms[0] | {"cost": cost}, arms[1] | {"cost": cost | {"per_thousand": 1.25, "priced_by": "tokens"}}),
        {"tuned": "nothing is trained yet"},
        {**advice, "reasons": ["a better prompt: 75.0%, the best."], "changes": ["With more rows."]},
        {"metric": "accuracy", "rows": 60},
    )
    out = command("show", "advise").out
    for words in (
        "Do not fine-tune: [b]a better prompt[/b] will do.",
        "accuracy on 60 validation rows",
        "75.0%",
        "3 min 20 s of compute",
        "1.25 (by tokens)",
        "540 MB",
        "1 min 15 s",
        "tuned was not measured: nothing is trained yet",
        "- a better prompt: 75.0%, the best.",
        "- With more rows.",
    ):
        assert words in out
