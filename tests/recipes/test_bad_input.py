"""Bad input, through the real command: code 2, all faults told at once, nothing written. More: test_odd_input.py."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.recipes.bad_project import (
    PLAIN,
    ROWS,
    Command,
    assert_nothing_half_made,
    csv_text,
    snapshot,
    write_files,
)
from tunesmith.base_folder import RECORD
from tunesmith.products import BaseModel


def test_missing_files_are_all_told_with_the_nearest_name(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, PLAIN.replace("tickets.csv", "tikcets.csv") + "  - path: gone/more.csv\n")
    (project / "tickets.csv").write_text(csv_text())
    told = command.refuse(project, "run")
    assert "2 faults:" in told
    assert "tikcets.csv: there is no such file" in told
    assert "did you mean 'tickets.csv'?" in told
    assert "gone/more.csv: there is no such file" in told


def test_a_folder_without_data_is_told_as_that(command: Command, tmp_path: Path) -> None:
    project = write_files(
        tmp_path, PLAIN.replace("tickets.csv", "data"), {"data/notes.md": "to do", "data/.x.csv": "a"}
    )
    told = command.refuse(project, "run")
    assert "data: this folder holds no data file" in told
    assert "put your examples there" in told


def test_binary_files_are_told_by_what_they_are(command: Command, tmp_path: Path) -> None:
    files = {
        "tickets.csv": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "more.csv": bytes(range(256)) * 9,
        "sheet.xlsx": b"PK\x03\x04" + bytes(99),
    }
    project = write_files(tmp_path, PLAIN + "  - path: more.csv\n  - path: sheet.xlsx\n", files)
    told = command.refuse(project, "run")
    assert "3 faults:" in told
    assert "tickets.csv: this is a binary file: it looks like a PNG picture" in told
    assert "more.csv: this is a binary file" in told
    assert "sheet.xlsx: this is a binary file: it looks like a ZIP archive or an Office file" in told


def test_unequal_rows_are_told_by_line_together_with_a_missing_source(command: Command, tmp_path: Path) -> None:
    lines = csv_text().splitlines(keepends=True)
    lines[2], lines[6] = "no answer here\n", "too,many,cells\n"
    project = write_files(tmp_path, PLAIN + "  - path: gone.csv\n", {"tickets.csv": "".join(lines)})
    told = command.refuse(project, "run")
    assert "3 faults:" in told
    assert "tickets.csv:3: 1 column where the header has 2" in told
    assert "tickets.csv:7: 3 columns where the header has 2" in told
    assert "gone.csv: there is no such file" in told

    write_files(project, PLAIN, {"tickets.csv": "".join(lines)})  # found by the stage itself this time
    told = command.refuse(project, "run")
    assert "2 faults:" in told
    assert "tickets.csv:3: " in told
    assert "tickets.csv:7: " in told
    assert "bad_rows: set_aside" in told


def test_broken_json_is_told_by_line(command: Command, tmp_path: Path) -> None:
    lines = [f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in ROWS]
    document = f"[\n{','.join(lines)}".replace('"where is my card",', '"where is my card"') + "]"
    lines[2], lines[6] = '{"text": "cut off", "lab\n', "oops\n"
    files = {"tickets.jsonl": "".join(lines), "more.json": document}
    project = write_files(tmp_path, PLAIN.replace("tickets.csv", "tickets.jsonl") + "  - path: more.json\n", files)
    told = command.refuse(project, "run")
    assert "3 faults:" in told
    assert "tickets.jsonl:3: broken JSON at its end" in told
    assert "tickets.jsonl:7: broken JSON at column 1" in told
    assert "more.json:5: broken JSON on line 5" in told


def test_two_columns_that_could_be_the_answer_are_asked_about(command: Command, tmp_path: Path) -> None:
    rows = [(text, label, "high") for text, label in ROWS]
    project = write_files(tmp_path, files={"tickets.csv": csv_text(rows, "message,category,urgency")})
    told = command.refuse(project, "run")
    assert "tickets.csv: which column is the answer: 'category' or 'urgency'?" in told
    assert "`collect: [{path: tickets.csv, input: message, output: category}]`" in told


def test_one_label_only_is_told_before_anything_is_made(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, files={"tickets.csv": csv_text(ROWS[:20])})
    told = command.refuse(project, "run")
    assert "tickets.csv: every answer is 'billing'" in told
    assert "at least one more label" in told


def test_one_label_that_is_left_after_cleaning_names_what_was_taken_out(command: Command, tmp_path: Path) -> None:
    rows = [*ROWS[:20], *[("", "delivery")] * 4]
    project = write_files(tmp_path, files={"tickets.csv": csv_text(rows)})
    told = command.refuse_late(project, "run", "--to", "clean", made=("collect", "goal"))
    assert 'all 20 examples that stay have the same label, "billing"' in told
    assert "tickets.csv:22: the input is empty" in told


def test_three_examples_are_too_few(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, files={"tickets.csv": csv_text(ROWS[:2] + ROWS[-1:])})
    told = command.refuse(project, "run")
    assert "tickets.csv: there are 3 examples; at least 10 are needed" in told
    assert "add more" in told


def test_labels_that_only_the_test_part_has_are_told_by_line(
    command: Command, tmp_path: Path, minilm: BaseModel
) -> None:
    kept_apart = [(f"{word} is broken", "hardware") for word in ("screen", "mouse", "keyboard")]
    kept_apart += [(f"the {word} howls", "noise") for word in ("fan", "lift", "cooler")]
    files = {"tickets.csv": csv_text(), "held.csv": csv_text(kept_apart)}
    project = write_files(tmp_path, PLAIN + "  - {path: held.csv, part: test}\n", files)
    told = command.refuse_late(project, "run", made=("collect", "goal", "base", "clean", "format"))
    assert "never seen in training: 'hardware' (held.csv:2); 'noise' (held.csv:5)" in told
    assert "add training rows with these labels" in told


def test_rows_longer_than_the_context_are_not_cut_but_told(command: Command, tmp_path: Path, minilm: BaseModel) -> None:
    rows = [(f"{'word ' * 700}{number}", label) for number, (_, label) in enumerate(ROWS)]
    project = write_files(tmp_path, files={"tickets.csv": csv_text(rows)})
    told = command.refuse_late(project, "run", made=("collect", "goal", "base", "clean"))
    assert "0 of 40 examples can be shown to all-minilm-l6-v2" in told
    assert "tickets.csv:2: 703 tokens, and at most 512 fit" in told
    assert "shorten the rows" in told


def test_mistakes_in_the_settings_are_all_told_by_line(command: Command, tmp_path: Path) -> None:
    wrong = "trian: {epochs: 3}\nsplit: {train: 0.8, validation: 0.2, test: 0.1}\nseed: tomorrow\ntrain: {rank: big}\n"
    project = write_files(tmp_path, PLAIN + wrong)
    told = command.refuse(project, "run")
    assert "4 faults:" in told
    assert "tunesmith.yaml:10: trian: unknown key 'trian' [unknown_key]\n  fix: did you mean 'train'?" in told
    assert "tunesmith.yaml:11: split: train + validation + test must add to 1, and they add to 1.1" in told
    assert "tunesmith.yaml:12: seed: this must be a whole number (it is 'tomorrow')" in told
    assert "tunesmith.yaml:13: train.rank: this must be a whole number (it is 'big')" in told


def test_a_base_that_is_not_in_the_catalogue_is_told_with_the_nearest(command: Command, tmp_path: Path) -> None:
    project = write_files(tmp_path, PLAIN.replace("all-minilm-l6-v2", "all-miniLM-l6") + "  - path: gone.csv\n")
    told = command.refuse(project, "run")
    assert "2 faults:" in told
    assert "base.model: 'all-miniLM-l6' is not in the catalogue" in told
    assert "did you mean all-minilm-l6-v2" in told
    assert "gone.csv: there is no such file" in told


def test_a_corrupted_cached_base_is_found_before_it_is_used(
    command: Command, tmp_path: Path, minilm: BaseModel
) -> None:
    cache = tmp_path / "cache"
    base = cache / "bases" / minilm.folder.name
    shutil.copytree(minilm.folder, base)
    known = write_files(tmp_path / "known")  # a project that was made with the base when it was whole
    assert command.run(known, "run", "--to", "base", TUNESMITH_CACHE=str(cache)).code == 0
    weights = base / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(weights.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))

    new = write_files(tmp_path / "new")
    told = command.refuse_late(new, "run", made=("collect", "goal"), TUNESMITH_CACHE=str(cache))
    assert f"{weights}: the cached base is damaged: expected sha256" in told
    assert "tunesmith base --refetch" in told
    told = command.refuse_late(
        known, "run", "--to", "format", made=("collect", "goal", "base", "clean"), TUNESMITH_CACHE=str(cache)
    )
    assert f"{weights}: the cached base is damaged" in told

    (base / RECORD).write_text("{")
    told = command.refuse_late(new, "run", made=("collect", "goal"), TUNESMITH_CACHE=str(cache))
    assert RECORD in told


@pytest.mark.parametrize("pages", [3, 10, 16, 20])
def test_a_full_disk_is_told_and_nothing_half_made_stays(
    pages: int, command: Command, disk: Callable[[int], Path], minilm: BaseModel
) -> None:
    project = write_files(disk(pages))
    told = command.refuse(project, "run") if pages == 3 else command.refuse_late(project, "run")
    assert f"{project}" in told
    assert "the disk is full; nothing half-written was kept [disk_full]" in told
    assert "free some space" in told


def test_a_limit_on_file_sizes_is_told_like_a_full_disk(command: Command, tmp_path: Path) -> None:
    """The same without a disk of its own, where none may be mounted."""
    project = write_files(tmp_path)
    before = snapshot(project)
    done = subprocess.run(
        command.words("run", "--to", "collect"),
        cwd=project,
        env=command.environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 2, done.stderr
    assert "the disk is full; nothing half-written was kept [disk_full]" in done.stderr
    assert snapshot(project) == before


def test_a_disk_that_fills_up_under_the_weights_is_told_too(disk: Callable[[int], Path]) -> None:
    """The library that writes weights tells a full disk in the text of an error of its own."""
    import torch
    from safetensors.torch import save_file

    from tunesmith.errors import TunesmithError
    from tunesmith.pipeline.run import guard_disk

    folder = disk(16)
    with pytest.raises(TunesmithError) as failure, guard_disk(folder):
        save_file({"weight": torch.zeros(100_000)}, folder / "model.safetensors")
    assert (failure.value.code, failure.value.where, failure.value.exit_code) == ("disk_full", str(folder), 2)


def test_a_read_only_folder_is_told(command: Command, disk: Callable[[int], Path]) -> None:
    project = write_files(disk(250))
    (project / "more.csv").write_text(csv_text())
    subprocess.run(["mount", "-o", "remount,ro", str(project)], check=True)
    told = command.refuse(project, "run")
    assert f"{project / '.tunesmith'}: no permission to use this place (Read-only file system) [not_writable]" in told
    assert "make the folder writable" in told
    told = command.refuse(project, "add", "more.csv")
    assert f"{project / 'tunesmith.yaml'}: no permission" in told


def test_a_folder_of_somebody_else_is_told(command: Command, tmp_path: Path) -> None:
    """The same by permission bits, which root does not feel."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only disk stands for this")
    project = write_files(tmp_path / "project")
    project.chmod(0o555)
    try:
        told = command.refuse(project, "run")
    finally:
        project.chmod(0o755)
    assert "no permission to use this place (Permission denied) [not_writable]" in told


def test_a_second_run_at_the_same_time_is_refused_and_changes_nothing(command: Command, tmp_path: Path) -> None:
    rows = [(f"{text} number {number}", label) for number in range(2000) for text, label in ROWS]
    project = write_files(tmp_path, files={"tickets.csv": csv_text(rows)})
    (project / ".tunesmith" / "work" / "collect-0123456789abcdef").mkdir(parents=True)  # of a run killed before
    first = subprocess.Popen(
        command.words("run", "--to", "collect"),
        cwd=project,
        env=command.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_works(project, first)
        first.send_signal(signal.SIGSTOP)  # so that what changes now is the second one's doing
        told = command.refuse(project, "run")
        assert f"{project}: another Tunesmith process (pid {first.pid}) is working on this project" in told
        assert "wait for it to end, or stop it" in told
    finally:
        first.kill()
        first.wait()
    write_files(project)  # the killed one's work has another id from here on
    assert command.run(project, "run", "--to", "collect").code == 0
    assert_nothing_half_made(project)


def _wait_until_it_works(project: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a run holds the lock and has begun its first stage."""
    deadline = time.monotonic() + 60
    while not list((project / ".tunesmith" / "work").glob("*/examples.parquet")):
        assert process.poll() is None, "the first run ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.02)
