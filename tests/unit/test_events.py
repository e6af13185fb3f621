"""The file of events: one event a line, whatever a kill or a full disk cut off before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith.events import Event, JsonLines


@pytest.mark.parametrize("cut", ["", "whole\n", '{"kind":"metr', "é"])
def test_an_event_is_a_line_of_its_own_after_one_that_was_cut_off(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "events.jsonl"
    if cut:
        path.write_text(cut, encoding="utf-8")
    log = JsonLines(path)
    for number in range(3):
        log(Event("note", "train", {"text": f"zeile ü {number}"}))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["data"]["text"] for line in lines[-3:]] == [f"zeile ü {number}" for number in range(3)]
    assert lines[:-3] == ([cut.strip()] if cut else [])
    assert path.read_bytes().endswith(b"}\n")
