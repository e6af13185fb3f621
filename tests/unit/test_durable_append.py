"""Files of lines that only grow: what is added stands there whole, whatever the end of the file looked like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import durable_lines
from tunesmith.durable_lines import append, whole_lines

LINES = st.lists(st.dictionaries(st.text(max_size=9), st.text(max_size=300), max_size=3), max_size=6)


@given(before=LINES, cut=st.integers(0, 400), added=LINES, block=st.sampled_from([1, 3, 64, 1 << 16]))
def test_what_is_added_is_read_back_and_a_cut_costs_one_line(
    tmp_path_factory: pytest.TempPathFactory, before: Any, cut: int, added: Any, block: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    append(path, before)
    whole = path.read_bytes()
    left = whole[: max(0, len(whole) - cut)]
    path.write_bytes(left)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable_lines, "_BLOCK", block)
        append(path, added)
    known = before[: left.count(b"\n") + (not left.endswith((b"\n", b"{")) and left.endswith(b"}") and _is_whole(left))]
    assert [json.loads(line) for line in whole_lines(path)] == [*known, *added]


def _is_whole(left: bytes) -> bool:
    try:
        json.loads(left[left.rfind(b"\n") + 1 :])
    except ValueError:
        return False
    return True


def test_a_line_that_somebody_wrote_by_hand_is_ended_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("{}\n# mine")
    append(path, [{"a": 1}])
    assert path.read_text() == '{}\n# mine\n{"a": 1}\n'


def test_adding_to_a_long_file_reads_its_end_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines.jsonl"
    append(path, ({"number": number, "text": "x" * 100} for number in range(5000)))
    starts = []
    real = durable_lines._tail
    monkeypatch.setattr(durable_lines, "_tail", lambda file: starts.append(real(file)) or starts[-1])
    append(path, [{"last": True}])
    [(start, tail)] = starts
    assert len(tail) <= 1 << 16 < start
    assert len(whole_lines(path)) == 5001
