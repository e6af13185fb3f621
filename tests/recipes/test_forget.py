"""`tunesmith clean --forget`: nothing of the rows is left in any file, kills or not, and they do not come back."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.recipes.bad_project import Command
from tests.recipes.small_project import environment
from tests.recipes.tiny_project import KINDS, write_base
from tests.recipes.tiny_project import rows as tiny_rows
from tunesmith import Project
from tunesmith.artifact import Store
from tunesmith.errors import InputError
from tunesmith.events import Event
from tunesmith.example_parquet import read_rows
from tunesmith.forget.find import ids_in
from tunesmith.retrieval.index import FOLDER as KNOWLEDGE
from tunesmith.retrieval.index import build_or_open
from tunesmith.similarity.normal_form import normalise
from tunesmith.tombstones import Tombstones

#: A name, which no step masks, so that it stands in every file that shows rows; and what stands beside it.
NAME, MAIL = "Zqhollow", "zqanna7@zqmail.org"
#: Files that stay and lose what is hers.
REWRITTEN = {"decisions.jsonl", "ratings.jsonl", ".tunesmith/events.jsonl", ".tunesmith/rounds/1/decisions.jsonl"}
SETTINGS = """\
version: 1
name: forgetful
goal: {input: text, output: label, system: Be kind., labels: [refund, delivery, billing]}
base: {model: BASE}
collect:
  - {path: rows.jsonl, input: text, output: answer, bad_rows: set_aside}
split: {train: 0.6, validation: 0.2, test: 0.2}
train: {epochs: 1, batch_size: 22, learning_rate: 0.001, precision: float32}
test: {resamples: 1000, raccoon: {rows_per_family: 2}}
"""
SAID = ["was torn", "came late", "is too small", "has no pegs", "smells", "leaks at night", "fell apart", "never came"]


def lines() -> list[str]:
    """63 sound rows, and those of one person: kept, repeated, in conflict, of no label, broken, and very long."""
    found = [json.dumps({"text": row["text"], "answer": row["label"]}) for row in tiny_rows()]
    of_her = [
        {"text": f"{NAME} here, number {n}: my {'abcdefgh'[n] * 5} {said}. Write to {MAIL}", "answer": "refund"}
        for n, said in enumerate(SAID)
    ]
    of_her += [{**of_her[0], "text": of_her[0]["text"].upper()}]
    of_her += [{"text": f"and {NAME} once more", "answer": answer} for answer in ("billing", "delivery")]
    of_her += [{"text": "who is it", "answer": f"ask {NAME}"}, {"text": f"{NAME} " * 4000, "answer": "refund"}]
    return [*found[:30], *map(json.dumps, of_her), f'{{"text": "broken {NAME}', *found[30:]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was made to its end, with decisions on rows and a training that was cut off."""
    root = tmp_path_factory.mktemp("forget")
    folder = root / "made"
    folder.mkdir()
    (folder / "rows.jsonl").write_text("\n".join(lines()) + "\n", encoding="utf-8")
    base = str(write_base(root / "base", KINDS["classifier"]))
    (folder / "tunesmith.yaml").write_text(SETTINGS.replace("BASE", base))
    project = Project.open(folder)
    clean = project.run(to="clean").clean
    assert clean is not None
    edited = next(line.id for line in clean.ledger() if line.code == "off_goal")
    sound = next(clean.examples()).id
    decided = [{"id": edited, "decision": "edit", "answer": f"ask {NAME} again"}, {"id": sound, "decision": "keep"}]
    (folder / "decisions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in decided))
    project.run()
    _rate(project)
    (root / "shop.md").write_text(f"# Tents\n\n{NAME} mends tents.\n")  # a document of the user's, outside the project
    build_or_open(root / "shop.md", 120, project.store.root / KNOWLEDGE)
    checkpoint = folder / ".tunesmith" / "work" / "train-0123456789abcdef"
    checkpoint.mkdir()
    (checkpoint / "rows.json").write_text(json.dumps([NAME]))
    assert NAME not in (folder / "tunesmith.yaml").read_text()
    return folder


def _rate(project: Project) -> None:
    """Ratings of all rows, remarks on two of hers, and one that names her on a row that is not hers."""
    test = project.product("test")
    pair = ("commonest answer", "tuned") if _alike(test, "base") else ("base", "tuned")
    review = project.rating(reviewer="ana", candidates=pair)
    while review.case is not None:
        if NAME in review.case.input or review.left == 1:
            review.comment(f"poor {NAME}")
            review.correct("delivery")
        review.choose("A")


def _alike(test: Any, name: str) -> bool:
    return all(row[name]["answer"] == row["tuned"]["answer"] for row in test.predictions())


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made"))


def holding(project: Path, *marks: str) -> tuple[set[str], int]:
    """The files in which a mark stands, without regard to case, also within Parquet; and how many were searched."""
    found, searched = set(), 0
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        searched += 1
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            text += json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False)
        if any(normalise(mark) in normalise(text) for mark in marks):
            found.add(str(path.relative_to(project)))
    return found, searched


def stages_of(files: set[str]) -> set[str]:
    return {name.split("/")[2].rpartition("-")[0] for name in files if name.startswith(".tunesmith/artifacts/")}


def forget(project: Path, *words: str) -> dict[str, Any]:
    with Project.open(project).forgetting(words) as plan:
        receipt = plan.carry_out()
    return dict(json.loads(receipt.read_text(encoding="utf-8")))


def once_tested(project: Path) -> set[str]:
    split = Store(project / ".tunesmith").latest("split")
    assert split is not None
    return set(ids_in(split.path / "tested.parquet"))


def test_nothing_of_a_person_is_left_in_any_file(project: Path, made: Path) -> None:
    before, searched = holding(project, NAME, MAIL)
    assert stages_of(before) == {"collect", "clean", "format", "test"}
    assert {"decisions.jsonl", "ratings.jsonl", "rows.jsonl"} < before
    rated = {one.id for one in Project.open(project).ratings().rated}
    assert searched >= 40
    hers = {row.id for row in Project.open(project).product("collect").examples() if NAME.lower() in row.input.lower()}
    learned = set(ids_in(next(made.glob(".tunesmith/artifacts/train-*")) / "examples.parquet"))
    assert learned & hers
    assert once_tested(project) & hers
    sound = once_tested(project) - hers

    receipt = forget(project, NAME)

    after, _ = holding(project, NAME, MAIL)
    assert after == {"rows.jsonl"}
    assert receipt["rows"] == len(SAID) + 6
    assert receipt["left"]["in_your_files"] == [f"rows.jsonl:{number}" for number in range(31, 31 + len(SAID) + 6)]
    [model] = receipt["left"]["models"]
    assert (project / model["path"] / "model").is_dir()
    removed = {entry["path"] for entry in receipt["files"] if entry["action"] == "removed"}
    assert before - {"rows.jsonl", *REWRITTEN} <= removed
    assert all(len(entry["sha256_before"]) == 64 for entry in receipt["files"])
    assert not hers & set(json.dumps(receipt).split('"'))
    for path in project.glob(".tunesmith/artifacts/*/*.parquet"):
        if "/train-" not in str(path):
            assert not hers & set(ids_in(path)), path
    assert once_tested(project) == sound
    assert len(Project.open(project).decisions().rows) == 1
    left = {one.id for one in Project.open(project).ratings().rated}
    assert left < rated
    assert left
    assert not left & hers
    assert len(left) == len(rated - hers)  # a remark about her on a row of another: the remark is gone, not the row
    assert stat.S_IMODE((project / "forgotten" / "key").stat().st_mode) == 0o600


def test_forgotten_rows_do_not_come_back_and_the_model_is_trained_anew(project: Path) -> None:
    sound = once_tested(project) - set(hers_in(project))
    forget(project, NAME)
    assert {stage.state for stage in Project.open(project).status() if stage.stage in ("clean", "train", "test")} != {
        "made"
    }
    told: list[Event] = []
    result = Project.open(project).run(on_event=told.append)
    assert {"collect", "clean", "format", "split", "train", "test"} <= set(result.made)
    assert result.collect is not None
    assert result.collect.counts["forgotten"] == len(SAID) + 6
    assert any("still stand" in event.data["text"] for event in told if event.kind == "warning")
    assert holding(project, NAME, MAIL)[0] == {"rows.jsonl"}
    assert sound <= once_tested(project)
    shown = {row["id"] for row in read_rows(result.test.folder / "predictions.parquet")}  # type: ignore[union-attr]
    assert sound <= shown
    assert Project.open(project).run().made == []


def hers_in(project: Path) -> list[str]:
    return [row.id for row in Project.open(project).product("collect").examples() if NAME.lower() in row.input.lower()]


def test_one_row_by_its_id_and_its_equal_copy(project: Path) -> None:
    collected = list(Project.open(project).product("collect").examples())
    first = next(row for row in collected if "number 0" in row.input)
    receipt = forget(project, first.id)
    assert receipt["rows"] == 2  # the one in capitals says the same
    assert not holding(project, first.id)[0] - {name for name in holding(project, first.id)[0] if "/train-" in name}
    result = Project.open(project).run(to="clean")
    assert result.collect is not None
    assert result.collect.counts["forgotten"] == 2
    assert not holding(project, "number 0:")[0] - {"rows.jsonl"}
    assert holding(project, "number 1:")[0] > {"rows.jsonl"}


def test_a_row_that_was_never_kept_costs_no_training(project: Path) -> None:
    """Where the rows that train stay as they are, so does the model."""
    clean = Project.open(project).product("clean")
    aside = next(line.id for line in clean.ledger() if line.code == "too_long")
    assert forget(project, aside)["left"]["models"] == []
    assert "train" not in Project.open(project).run().made


def test_what_stands_in_no_row_is_refused(project: Path) -> None:
    for words in (["nobody at all"], ["0123456789abcdef"], [" "]):
        with pytest.raises(InputError, match="nothing_to_forget"):
            forget(project, *words)
    assert not (project / "forgotten").exists()


def test_without_its_key_a_project_does_not_run(project: Path) -> None:
    forget(project, NAME)
    (project / "forgotten" / "key").unlink()
    with pytest.raises(InputError, match="forgotten_key_gone"):
        Project.open(project).run(to="collect")


def test_the_command_tells_the_number_and_asks(command: Command, project: Path) -> None:
    assert "not_a_terminal" in command.refuse(project, "clean", "--forget", MAIL)
    ended = command.run(project, "clean", "--forget", MAIL, "--yes")
    assert ended.code == 0, ended
    assert f"{len(SAID) + 1} rows will be removed for good" in ended.out
    assert "rows.jsonl:31" in ended.out
    assert "Models that were trained on it" in ended.out
    assert holding(project, MAIL)[0] == {"rows.jsonl"}


#: Forgets in copies of a project, each in a process that kills itself before it changes the disk for the n-th time.
KILLER = """
import json, os, shutil, signal, sys
from tunesmith import Project
from tunesmith.forget import plan
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"}
made, place, words, step = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
def die_before(n):
    count = 0
    def see(event, arguments):
        nonlocal count
        wrote = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or wrote:
            if count == n:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
    sys.addaudithook(see)
n = 0
while True:
    copy = shutil.copytree(made, f"{place}/{n}")
    child = os.fork()
    if not child:
        with Project.open(copy).forgetting([words]) as plan:
            die_before(n)
            plan.carry_out()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        print(json.dumps([n, os.WEXITSTATUS(status)]))
        break
    n += step if n >= 6 else 1
"""


def test_a_kill_amid_a_forgetting_is_finished_by_the_next_command(
    made: Path, tmp_path: Path, bases_cache: Path
) -> None:
    words = [sys.executable, "-c", KILLER, str(made), str(tmp_path), NAME, "5"]
    done = subprocess.run(words, env=environment(bases_cache), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last, code = json.loads(done.stdout)
    assert code == 0
    copies = sorted(tmp_path.iterdir(), key=lambda path: int(path.name))
    assert len(copies) >= 12
    begun = 0
    for copy in copies:
        pending = (copy / "forgotten" / "pending.json").exists()
        Project.open(copy).status()
        left = holding(copy, NAME, MAIL)[0]
        if pending or int(copy.name) == last:
            begun += 1
            assert left == {"rows.jsonl"}, copy.name
            [receipt] = (copy / "forgotten" / "receipts").glob("*.json")
            assert json.loads(receipt.read_text())["rows"] == len(SAID) + 6
            assert Tombstones.read(copy) is not None
        else:
            assert left == holding(made, NAME, MAIL)[0], copy.name
        assert not list(copy.rglob("pending.json"))
        assert not pending or not list(copy.rglob(".*.tmp"))
        shutil.rmtree(copy)
    assert begun >= 8
