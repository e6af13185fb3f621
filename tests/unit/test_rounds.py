"""Rounds: each new test is one; they are compared on the same rows; any of them is one command away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tunesmith import InputError, Project
from tunesmith.artifact import Artifact, hash_of, write_json
from tunesmith.cli.main import main
from tunesmith.decisions import FILE as DECISIONS
from tunesmith.example_parquet import RowWriter
from tunesmith.pipeline import rounds
from tunesmith.pipeline.order import MAKING
from tunesmith.rounds import switch
from tunesmith.scoring.same_rows import TestedRow, paired
from tunesmith.stages.test.report_rounds import as_markdown, rounds_so_far

SETTINGS = """\
version: 1
name: rounds
goal: {input: text, output: label, labels: [a, b]}
collect: [{path: rows.csv, input: text, output: label}]
train: {epochs: EPOCHS}  # mine
"""
Answers = Mapping[str, tuple[str, str]]  # by the row's id: reference and answer
_STRUCT = pa.struct([("answer", pa.string()), ("score", pa.float64())])


class Maker:
    """Makes rounds without training: artifacts whose test part says what it is told."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.file = root / "tunesmith.yaml"
        self.file.write_text(SETTINGS.replace("EPOCHS", "1"), encoding="utf-8")
        self.project = Project.open(root)

    def round(self, epochs: int, answers: Answers, *, decisions: str = "", **overrides: str) -> dict[str, Artifact]:
        """Run a round with a setting of its own."""
        self.file.write_text(SETTINGS.replace("EPOCHS", str(epochs)), encoding="utf-8")
        (self.project.root / DECISIONS).write_text(decisions, encoding="utf-8")
        made = self.artifacts(epochs, answers, decisions)
        settings = self.project.read([f"{key.replace('__', '.')}={value}" for key, value in overrides.items()])
        with self.project.store.lock():
            rounds.record(self.project, settings, made)
        return made

    def artifacts(self, epochs: int, answers: Answers, decisions: str) -> dict[str, Artifact]:
        made: dict[str, Artifact] = {}
        for stage in MAKING[:-1]:
            mine = {"train": {"epochs": epochs}, "test": {"answers": answers}}.get(stage, {})
            told = {json.loads(line)["id"]: "keep" for line in decisions.splitlines()}
            facts = {"decisions": told} if stage == "clean" else {}
            by = {"version": 1, "settings": mine, "inputs": {}, "facts": facts}
            made[stage] = self.artifact(stage, by, answers)
        return made

    def artifact(self, stage: str, made_by: dict[str, Any], answers: Answers) -> Artifact:
        store, id = self.project.store, hash_of([stage, made_by])
        if (found := store.find(stage, id)) is not None:
            store.mark_latest(found)
            return found
        folder = store.begin(stage, id)
        if stage == "test":
            self.report(folder, answers)
        counts = {"train": 9, "validation": 2, "test": len(answers)} if stage == "split" else {"kept": 11}
        return store.finish(stage, id, made_by=made_by, counts=counts, seconds=1)

    def report(self, folder: Path, answers: Answers) -> None:
        texts = [(name, pa.string()) for name in ("id", "input", "reference")]
        with RowWriter(folder / "predictions.parquet", pa.schema([*texts, ("tuned", _STRUCT)])) as writer:
            for id, (reference, answer) in answers.items():
                tuned = {"answer": answer, "score": float(answer == reference)}
                writer.write({"id": id, "input": f"input {id}", "reference": reference, "tuned": tuned})
        facts = {"row_metric": "accuracy", "resamples": 1000}
        write_json(folder / "test.json", {"scores": {}, "differences": [], "verdict": {"code": "met"}, "facts": facts})


def right(ids: Sequence[int], wrong: Sequence[int] = ()) -> dict[str, tuple[str, str]]:
    return {f"{id:03}": ("a", "b" if id in wrong else "a") for id in ids}


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "project")


def test_each_new_test_is_a_round_and_tells_what_changed(maker: Maker) -> None:
    maker.round(1, right(range(40), range(20)))
    maker.round(3, right(range(40), range(5)), decisions='{"id": "x", "decision": "keep"}\n')
    maker.round(3, right(range(40), range(5)), decisions='{"id": "x", "decision": "keep"}\n')  # nothing new: no round
    newer = maker.round(3, right(range(40), range(6)), decisions='{"id": "x", "decision": "keep"}\n')
    log = rounds.read(maker.project.store)
    assert list(log.known) == [1, 2]
    assert log.known[2].after == 1
    assert log.known[2].artifacts["test"] == newer["test"].id  # the same model, a newer report
    assert log.known[2].changed[:2] == ["clean: 1 decision on rows made", "train: epochs changed: 1 → 3"]
    assert log.known[2].counts == {"train": 9, "validation": 2, "test": 40, "kept": 11}


def test_a_torn_last_line_is_no_round_and_is_written_again(maker: Maker) -> None:
    made = maker.round(1, right(range(9)))
    path = maker.project.store.root / rounds.FILE
    whole = path.read_bytes()
    for cut in range(len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert rounds.read(maker.project.store).known == {}
    with maker.project.store.lock():
        rounds.record(maker.project, maker.project.settings, made)  # as the next run does
    assert list(rounds.read(maker.project.store).known) == [1]


def test_a_line_that_is_no_round_is_told_with_its_place(maker: Maker) -> None:
    maker.round(1, right(range(9)))
    path = maker.project.store.root / rounds.FILE
    path.write_bytes(path.read_bytes() + b"[]\n")
    with pytest.raises(InputError) as fault:
        rounds.read(maker.project.store)
    assert fault.value.code == "damaged_rounds"
    assert fault.value.where.endswith("rounds.jsonl:2")


def test_rounds_are_shown_on_the_same_rows_with_a_paired_test_and_holms_correction(maker: Maker) -> None:
    maker.round(1, right(range(40), range(20)))
    maker.round(2, right(range(60), range(2)))  # the test part has grown by twenty rows
    maker.round(3, right(range(60), range(3)))
    one, two, three = maker.project.rounds()
    assert [shown.score.n for shown in (one, two, three) if shown.score] == [40, 40, 40]
    assert [shown.own_rows for shown in (one, two, three)] == [40, 60, 60]
    assert two.score is not None
    assert two.score.value == pytest.approx(38 / 40)
    assert two.against is not None
    assert three.against is not None
    assert (two.against.n, three.against.n) == (40, 60)
    assert two.against.value == pytest.approx(18 / 40)
    assert "40 rows, which both rounds tested (40 and 60)" in two.note
    assert two.p == pytest.approx(2 * two.against.p)  # the smaller of two p-values
    assert (two.shown, three.shown) == ("better", "not_shown")
    assert three.at


def test_rows_whose_lines_moved_are_paired_by_what_they_say_and_others_are_not() -> None:
    left = {"1": TestedRow("1", "x", "a", "a", 1), "2": TestedRow("2", "y", "a", "a", 1)}
    moved = {"9": TestedRow("9", "x", "a", "b", 0), "2": TestedRow("2", "y", "b", "b", 1)}
    assert [(one.id, other.id) for one, other in paired(left, moved)] == [("1", "9")]


def test_a_round_whose_artifact_is_gone_says_so(maker: Maker) -> None:
    made = maker.round(1, right(range(9)))
    maker.round(2, right(range(9), [1]))
    (made["test"].path / "predictions.parquet").unlink()
    one, two = maker.project.rounds()
    assert one.score is None
    assert one.note == "gone or damaged: test"
    assert two.note == "the report of round 1 is gone"
    for fault in (lambda: maker.project.compare_rounds(1, 2), lambda: maker.project.use_round(1)):
        with pytest.raises(InputError) as found:
            fault()
        assert found.value.code == "round_gone"
    with pytest.raises(InputError, match="no round 7"):
        maker.project.use_round(7)


def test_rounds_without_a_common_row_are_shown_on_their_own(maker: Maker) -> None:
    maker.round(1, right(range(9)))
    maker.round(2, right(range(100, 109)))
    _, two = maker.project.rounds()
    assert not two.same_rows
    assert two.note == "no test row in common with round 1"
    with pytest.raises(InputError) as fault:
        maker.project.compare_rounds(1, 2)
    assert fault.value.code == "rounds_not_alike"


def test_compare_tells_the_rows_that_changed_with_both_answers(maker: Maker) -> None:
    maker.round(1, right(range(20), [1, 2]))
    maker.round(2, right(range(22), [2, 3]))
    found = maker.project.compare_rounds(1, 2)
    assert [(row.id, row.before, row.after) for row in found.better] == [("001", "b", "a")]
    assert [(row.id, row.before, row.after) for row in found.worse] == [("003", "a", "b")]
    assert (found.left_alone, found.right_alone, found.difference.value) == (0, 2, 0)


def state(maker: Maker) -> tuple[str, str, dict[str, str]]:
    """The project file, the decisions, and what is latest."""
    path = maker.project.root / DECISIONS
    latest = {stage: found.id for stage in MAKING[:-1] if (found := maker.project.store.latest(stage))}
    return maker.file.read_text(encoding="utf-8"), path.read_text("utf-8") if path.exists() else "", latest


def test_a_rejected_round_is_one_command_away_and_so_is_the_way_back(maker: Maker) -> None:
    maker.round(1, right(range(20), [1]))
    first = state(maker)
    maker.round(2, right(range(20), [2]), decisions='{"id": "x", "decision": "keep"}\n')
    second = state(maker)
    rejected, number, backup = maker.project.reject_round()
    assert (rejected, number) == (2, 1)
    assert state(maker) == first
    assert (backup / "tunesmith.yaml").read_text(encoding="utf-8") == second[0]
    assert (backup / DECISIONS).read_text(encoding="utf-8") == second[1]
    one, two = maker.project.rounds()
    assert (one.in_use, one.at, two.rejected) == (True, True, True)
    maker.project.use_round(2)
    assert state(maker) == second
    in_use = json.loads((maker.project.store.root / "in_use.json").read_text(encoding="utf-8"))
    assert in_use == {"round": 2, "test": second[2]["test"], "train": second[2]["train"]}
    maker.round(3, right(range(20), [3]))
    assert maker.project.reject_round()[:2] == (3, 2)  # back to the one in use


def test_the_first_round_cannot_be_rejected(maker: Maker) -> None:
    with pytest.raises(InputError) as fault:
        maker.project.reject_round()
    assert fault.value.code == "nothing_to_reject"
    maker.round(1, right(range(20)))
    with pytest.raises(InputError, match="there is none to go back to"):
        maker.project.reject_round()


def test_what_a_round_was_given_for_itself_is_written_into_the_file_when_it_is_used(maker: Maker) -> None:
    maker.round(1, right(range(20)), train__learning_rate="0.01", seed="7")
    maker.round(2, right(range(20), [2]))
    maker.project.use_round(1)
    settings = maker.project.settings
    assert (settings.train.learning_rate, settings.seed, settings.train.epochs) == (0.01, 7, 1)
    assert "# mine" in maker.file.read_text(encoding="utf-8")


STEPS = ("write_text", "_write_decisions", "project_file.edit", "durable_lines.append", "rounds.append")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_of_going_back_is_made_good_by_the_next_command(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    maker.round(1, right(range(20)), decisions='{"id": "x", "decision": "keep"}\n', seed="7")
    maker.round(2, right(range(20), [2]))
    with pytest.MonkeyPatch.context() as patch:

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr(f"tunesmith.rounds.switch.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            maker.project.use_round(1)
        assert (maker.project.store.root / "rounds" / switch.PENDING).exists()
    opened = Project.open(maker.project.root)
    assert opened.settings.seed == 7
    assert opened.settings.train.epochs == 1
    assert list(opened.decisions().rows) == ["x"]
    assert [shown.in_use for shown in opened.rounds()] == [True, False]
    assert not (maker.project.store.root / "rounds" / switch.PENDING).exists()


def test_the_command_shows_compares_uses_and_rejects(maker: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--project", str(maker.project.root)]
    assert main(["rounds", *where]) == 0
    assert "no round yet" in capsys.readouterr().out
    maker.round(1, right(range(40), range(20)))
    maker.round(2, right(range(60), range(2)))
    assert main(["rounds", *where]) == 0
    out = capsys.readouterr().out
    assert "better than round 1" in out
    assert "Scores are on the 40 test rows that all of these rounds have tested." in out
    assert "Rounds whose test part was larger: 2 (60 rows)." in out
    assert main(["rounds", "--compare", "1", "2", *where]) == 0
    out = capsys.readouterr().out
    assert "better: 18 rows" in out
    assert "worse: 0 rows" in out
    assert main(["rounds", "--reject", *where]) == 0
    assert "Round 2 is rejected; the project is as it was in round 1." in capsys.readouterr().out
    assert main(["rounds", "--use", "2", *where]) == 0
    assert "Round 2 is in use" in capsys.readouterr().out


def test_forgotten_rows_have_no_decision_in_earlier_rounds_either(maker: Maker) -> None:
    from tunesmith.forget.carry_out import _purge_decisions

    line = '{"id": "x", "decision": "edit", "answer": "a secret"}\n'
    maker.round(1, right(range(9)), decisions=line)
    kept = maker.project.store.root / "rounds" / "1" / DECISIONS
    assert "secret" in kept.read_text(encoding="utf-8")
    _purge_decisions(maker.project.root, {"x"})
    assert "secret" not in kept.read_text(encoding="utf-8")


def test_the_report_shows_earlier_rounds_on_the_same_rows(maker: Maker) -> None:
    maker.round(1, right(range(40), range(20)))
    maker.round(2, right(range(40), range(10)))
    now = maker.artifacts(3, right(range(60), range(2)), "")
    earlier = rounds.earlier(maker.project.store, now)
    assert [one["round"] for one in earlier] == [1, 2]
    found = rounds_so_far(earlier, now["test"].path / "predictions.parquet", "accuracy", 1000)
    assert found is not None
    assert [row[0] for row in found.rows] == ["1", "2", "this round"]
    assert [row[2].split()[0] for row in found.rows] == ["50.0%", "75.0%", "95.0%"]
    assert found.rows[0][3].startswith("+45.0")
    assert "All of these rounds share 40 test rows." in found.words
    assert "| 1 |" in as_markdown(found, str, lambda heads, rows: "\n".join(f"| {' | '.join(row)} |" for row in rows))
    assert rounds_so_far([], now["test"].path / "predictions.parquet", "accuracy", 1000) is None
    assert rounds_so_far(earlier, now["test"].path / "predictions.parquet", "rouge_l", 1000) is None
