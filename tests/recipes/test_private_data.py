"""Planted private values stand nowhere but in the user's own file and in what only they can read."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.recipes.bad_project import Command
from tests.recipes.small_project import SETTINGS, finish, rows

#: One value of each kind; a mark of their own makes even a part of one known.
PLANTED = {
    "email": ("zqanna7@zqmail.org", "zqanna7"),
    "phone": ("+49 30 901820117", "901820117"),
    "card": ("4532 0151 1283 0366", "1283 0366"),
    "iban": ("DE89 3704 0044 0532 0130 00", "0532 0130"),
    "national_id": ("536-22-1847", "536-22-1847"),
    "ip_address": ("203.0.44.171", "203.0.44.171"),
    "mac_address": ("7c:1b:44:9d:3a:b7", "44:9d:3a"),
    "street_address": ("4711 Zqhollow Street", "Zqhollow"),
    "api_key": ("sk-proj-zq9a8b7c6d5e4f3g2h1i0j", "zq9a8b7c"),
    "password": ("password: Zq!hunter77", "hunter77"),
    "url_credentials": ("https://zqroot:zqpw99@example.com/x", "zqpw99"),
}
MARKS = [mark.encode() for _, mark in PLANTED.values()]
PRIVATE_FILES = r"\.tunesmith/artifacts/(?:collect-\w+/(?:examples|set_aside)|clean-\w+/private)\.parquet"


def planted_project(folder: Path) -> Path:
    """Every value in rows that are kept, repeated, in conflict, of no label, blank, too long, and broken.

    And in tags, and as the name of a field.
    """
    folder.mkdir()
    lines = [json.dumps(row) for row in rows()]
    for number, (value, _) in enumerate(PLANTED.values()):
        said = f"please note {value} for case {'abcdefghijklmnop'[number] * 3}"
        lines += [json.dumps({"text": said, "team": team}) for team in ("payroll", "payroll")]
        lines += [json.dumps({"text": f"again {said}", "team": team}) for team in ("hardware", "network")]
        lines += [json.dumps({"text": f"who {said}", "team": f"ask {value}"})]
        lines += [json.dumps({"text": said, "team": ""}), json.dumps({"text": said + " x" * 400, "team": "payroll"})]
        lines += [
            json.dumps({"text": f"tagged {number} {'klmnopqrstuvwxyz'[number] * 5}", "team": "payroll", "who": value})
        ]
        lines += [
            json.dumps({"text": f"named {number} {'klmnopqrstuvwxyz'[number] * 7}", "team": "network", value: "x"})
        ]
        lines += [f'{{"text": "broken {value}', json.dumps([value])]
    (folder / "tickets.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = SETTINGS.replace("CHECKPOINT", "600").replace(
        "output: team}", "output: team, tags: [who], bad_rows: set_aside}"
    )
    settings = settings.replace("epochs: 2", "epochs: 1") + "clean: {max_characters: 600}\n"
    (folder / "tunesmith.yaml").write_text(settings, encoding="utf-8")
    return folder


def leaks(project: Path) -> tuple[dict[str, list[str]], int]:
    """The files in which a value stands, with the marks; and how many files were searched."""
    found: dict[str, list[str]] = {}
    searched = 0
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        searched += 1
        text = path.read_bytes()
        if path.suffix == ".parquet":
            text += json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode()
        if hits := [mark.decode() for mark in MARKS if mark in text]:
            found[str(path.relative_to(project))] = hits
    return found, searched


def check(project: Path, said: str, least: int) -> None:
    found, searched = leaks(project)
    assert searched >= least
    assert [mark for mark in MARKS if mark.decode() in said] == []
    own = [name for name in found if name != "tickets.jsonl"]
    assert len(found["tickets.jsonl"]) == len(PLANTED)
    assert [name for name in own if not re.fullmatch(PRIVATE_FILES, name)] == []
    assert len(own) == 3  # the search finds what is there
    assert [name for name in own if stat.S_IMODE((project / name).stat().st_mode) != 0o600] == []
    kept = next(project.glob(".tunesmith/artifacts/clean-*/examples.parquet"))
    masked = str(pq.read_table(kept)["messages"].to_pylist())
    assert {kind for kind in PLANTED if f"[{kind.upper()}_1]" in masked} == set(PLANTED)


def test_planted_values_are_nowhere_but_where_only_the_owner_reads(command: Command, tmp_path: Path) -> None:
    project = planted_project(tmp_path / "planted")
    ended = command.run(project, "run", "--to", "split")
    assert ended.code == 0, ended
    stages = ("goal", "base", "collect", "clean", "format", "split")
    shown = [command.run(project, "show", stage).said for stage in stages]
    shown += [command.run(project, *words).said for words in (("format", "--show", "200"), ("status",))]
    assert all(len(text) > 20 for text in shown)
    check(project, "".join([str(ended), *shown]), least=25)
    kept = next(project.glob(".tunesmith/artifacts/clean-*/examples.parquet"))
    tags = {tag for row in pq.read_table(kept, columns=["tags"]).to_pylist() for tag in row["tags"]}
    assert tags >= {f"who=[{kind.upper()}_1]" for kind in ("email", "phone", "card", "iban", "national_id")}


def failed(command: Command, project: Path, *words: str) -> str:
    """What is said by a command that must fail, its traceback included; a run makes no artifact of the failed stage."""
    done = subprocess.run(
        command.words(*words, "--debug"),
        cwd=project,
        env=command.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Traceback" in said
    assert [mark for mark in MARKS if mark.decode() in said] == []
    return said


def test_a_run_that_fails_in_the_middle_tells_no_value_not_even_in_a_traceback(
    command: Command, tmp_path: Path
) -> None:
    project = planted_project(tmp_path / "planted")
    settings = project / "tunesmith.yaml"
    sound = settings.read_text(encoding="utf-8")
    settings.write_text(sound.replace(", bad_rows: set_aside", ""), encoding="utf-8")
    assert "broken" in failed(command, project, "run", "--to", "clean")
    assert list(project.glob(".tunesmith/artifacts/collect-*")) == []

    kept = [
        line for line in (project / "tickets.jsonl").read_text(encoding="utf-8").splitlines() if "please note" in line
    ]
    (project / "tickets.jsonl").write_text("\n".join(kept) + "\n", encoding="utf-8")
    settings.write_text(
        sound.replace("max_characters: 600", "private: set_aside").replace(", tags: [who]", ""), encoding="utf-8"
    )
    assert "too_few_examples" in failed(command, project, "run", "--to", "clean")
    found, searched = leaks(project)
    assert searched >= 5
    assert [name for name in found if name != "tickets.jsonl" and not re.fullmatch(PRIVATE_FILES, name)] == []
    assert len(found) >= 2  # the user's file and collect's copy of it


@pytest.mark.slow
def test_planted_values_are_not_in_the_report_nor_in_the_model(bases_cache: Path, tmp_path: Path) -> None:
    project = planted_project(tmp_path / "planted")
    code, said = finish(project, bases_cache, "run")
    assert code in (0, 3), said
    check(project, said, least=40)
