"""Files of one JSON object a line: what was added is there line by line, whatever the texts hold."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tunesmith import decisions
from tunesmith.durable_lines import append, whole_lines

TEXTS = st.text(st.sampled_from('a\u2028\u2029\x85\x0b\x0c\x1c\r\n"é'), max_size=8)


@given(st.lists(TEXTS, max_size=6), st.booleans())
def test_each_line_comes_back_however_its_text_is_written(texts: list[str], ours: bool) -> None:
    lines = [{"text": text} for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        if ours:
            append(path, lines)
        else:  # by a user, or another program
            text = "".join(json.dumps(line, ensure_ascii=False) + "\r\n" for line in lines)
            path.write_text(text, encoding="utf-8", newline="")
        assert [json.loads(line) for line in whole_lines(path)] == lines


def test_a_decision_whose_answer_holds_another_end_of_line_is_one(tmp_path: Path) -> None:
    path = tmp_path / decisions.FILE
    line = {"id": "a1", "decision": "edit", "answer": "one\u2028two"}
    path.write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    assert decisions.read(path).rows["a1"].answer == "one\u2028two"
