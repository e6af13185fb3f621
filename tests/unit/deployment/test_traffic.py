"""The log of requests: figures always, texts masked and only when wanted, and nothing longer than it may be."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.private_rows import rows as private_rows
from tunesmith.deployment import forgetting
from tunesmith.deployment.candidates import candidates
from tunesmith.deployment.exchange import Action, Exchange
from tunesmith.deployment.kept_text import LONGEST, TextMasker, input_of
from tunesmith.deployment.log_settings import LogSettings
from tunesmith.deployment.retention import DAY, expire
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.traffic import Traffic
from tunesmith.example import Message, make_example
from tunesmith.example import Source as Place
from tunesmith.privacy.mask import masked_text
from tunesmith.similarity.normal_form import normalise
from tunesmith.stages.improve.pool import Pool, PoolRow, with_requests

MASKER = TextMasker.of({}, frozenset())


def exchange(text: str, *answers: str, **more: Any) -> Exchange:
    made = Exchange(f"req-{secrets.token_hex(12)}", "/v1/chat/completions", "website", **more)
    made.prompt, made.answers, made.version = (Message.of("user", text),), list(answers), "desk@0123"
    made.end(200)
    return made


def record(log: Traffic, *exchanges: Exchange) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(log.record(one) for one in exchanges))

    asyncio.run(all_of_them())


def rows_of(state: State, table: str) -> list[dict[str, Any]]:
    return state.look(lambda one: [dict(row) for row in one.execute(f"SELECT * FROM {table} ORDER BY number")])


def bytes_of(state: State) -> bytes:
    return b"".join(path.read_bytes() for path in state.path.parent.iterdir())


def test_what_came_of_a_request_is_kept_without_its_texts(tmp_path: Path):
    state = open_state(tmp_path)
    one = exchange("Where is my parcel number seven?", "On its way.")
    one.label, one.confidence, one.prompt_tokens, one.handed_off = "parcel", 0.75, 12, True
    one.actions.append(Action("no_refunds", "refuse", "after"))
    one.first_token, one.last_token, one.completion_tokens = 0.25, 1.25, 5
    record(Traffic(state), one)
    [row] = rows_of(state, "traffic")
    expected = {
        "id": one.id, "key": "website", "version": "desk@0123", "status": 200, "label": "parcel", "confidence": 0.75,
        "prompt_tokens": 12, "completion_tokens": 5, "first_token": 0.25, "between_tokens": 0.25, "handed_off": 1,
        "characters": 32, "answered": 1,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    [action] = rows_of(state, "traffic_actions")
    assert (action["rule"], action["did"], action["place"]) == ("no_refunds", "refuse", "after")
    assert rows_of(state, "traffic_texts") == []
    state.close()
    assert b"parcel number seven" not in bytes_of(state)
    assert b"On its way" not in bytes_of(state)


def test_texts_are_kept_masked_when_they_are_wanted_and_the_same_value_has_the_same_placeholder(tmp_path: Path):
    state = open_state(tmp_path)
    record(Traffic(state, MASKER), exchange("I am jo@example.org, write to jo@example.org", "To jo@example.org, yes."))
    [row] = rows_of(state, "traffic_texts")
    assert json.loads(row["prompt"]) == [{"role": "user", "content": "I am [EMAIL_1], write to [EMAIL_1]"}]
    assert json.loads(row["answers"]) == ["To [EMAIL_1], yes."]
    state.close()
    assert b"example.org" not in bytes_of(state)


def test_no_kind_of_private_value_reaches_the_file_whatever_the_project_keeps_in_its_training_data(tmp_path: Path):
    state = open_state(tmp_path)
    masker = TextMasker.of(dict.fromkeys(("email", "phone", "card"), "keep"), frozenset())  # type: ignore[arg-type]
    planted = [row for row in private_rows(2, seed=3) if row.kind]
    assert len({row.kind for row in planted}) >= 10
    record(Traffic(state, masker), *(exchange(row.text, row.text) for row in planted))
    state.close()
    stored = bytes_of(state)
    known = [row for row in planted if row.text[row.start : row.end] in masked_text(row.text)]
    assert len(known) <= 0.02 * len(planted)  # what the detectors miss is measured by the benchmark private_data
    leaked = [row for row in planted if row not in known and row.text[row.start : row.end].encode() in stored]
    assert leaked == []


def test_texts_that_would_keep_an_answer_waiting_are_not_kept(tmp_path: Path):
    state = open_state(tmp_path)
    record(Traffic(state, MASKER), exchange("a " * LONGEST), exchange("short"))
    assert [row["characters"] for row in rows_of(state, "traffic")] == [2 * LONGEST, 5]
    assert len(rows_of(state, "traffic_texts")) == 1


def test_the_requests_of_a_group_are_committed_together(tmp_path: Path):
    state = open_state(tmp_path)
    record(Traffic(state, MASKER), *(exchange(f"question {number}") for number in range(300)))
    assert sorted(row["answered"] for row in rows_of(state, "traffic")) == list(range(1, 301))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 60), st.integers(0, 9000)), min_size=1, max_size=40), st.data())
def test_what_is_too_old_is_gone_to_the_last_byte_and_the_rest_is_there(tmp_path_factory, made, data):
    """Ages in days, and lengths of texts: over one page of the file, and over many."""
    state = open_state(tmp_path_factory.mktemp("state"))
    now = time.time()
    marks = {f"mark{secrets.token_hex(8)}": age for age, _ in made}
    texts = [f"{mark} {'word ' * (length // 5)}{mark}" for mark, (_, length) in zip(marks, made, strict=True)]
    ages = list(marks.values())
    record(
        Traffic(state, MASKER),
        *(exchange(text, text, arrived_at=now - age * DAY) for text, age in zip(texts, ages, strict=True)),
    )
    keep = data.draw(st.floats(1, 60))
    keep_text = data.draw(st.floats(1, 60))
    done = expire(state, LogSettings(text=True, keep_days=keep, keep_text_days=keep_text), now)
    assert done.gone
    stored = bytes_of(state)  # the server runs on
    for mark, age in marks.items():
        assert (mark.encode() in stored) == (age <= min(keep, keep_text)), (mark, age, keep, keep_text)
    assert len(rows_of(state, "traffic")) == sum(age <= keep for age in ages)
    state.close()


def test_what_a_reader_held_back_from_being_wiped_goes_the_next_time(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tunesmith.deployment.state.WIPE_PAUSE", 0.01)
    state = open_state(tmp_path)
    record(Traffic(state, MASKER), exchange("a secret mark", arrived_at=time.time() - 50 * DAY))
    reader = open_state(tmp_path)

    def while_reading(connection):
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM traffic_texts").fetchall()
        first = expire(state, LogSettings(text=True))
        connection.execute("ROLLBACK")
        return first

    first = reader.look(while_reading)
    assert (first.texts, first.gone) == (1, False)
    assert expire(state, LogSettings(text=True)).gone
    assert b"a secret mark" not in bytes_of(state)


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=20)), max_size=4))
def test_the_input_of_a_request_is_put_together_as_that_of_a_training_row(said):
    prompt = [Message.of(role, text) for role, text in said] + [Message.of("user", "and this?")]
    row = make_example([*prompt, Message.of("assistant", "yes")], Place("rows.csv", 1))
    assert input_of(prompt) == row.input


def test_candidates_are_the_farthest_then_the_least_sure_each_text_once(tmp_path: Path):
    state = open_state(tmp_path)
    asked = [("near", 0.9, 0.1), ("far", 0.9, 0.8), ("far", 0.9, 0.8), ("unsure", 0.2, None), ("sure", 0.9, None)]
    for text, confidence, distance in asked:
        one = exchange(text)
        one.confidence = confidence
        log = Traffic(state, MASKER)
        record(log, one)
        state.change(lambda connection, d=distance, id=one.id: connection.execute(
            "UPDATE traffic SET distance = ? WHERE id = ?", (d, id)))  # fmt: skip
    assert [one.text for one in candidates(state, 10)] == ["far", "near", "unsure", "sure"]
    assert [one.text for one in candidates(state, 2)] == ["far", "near"]


@pytest.mark.parametrize("failed", [429, 500, 499])
def test_requests_that_were_not_answered_count_for_no_look_at_drift(tmp_path: Path, failed):
    state = open_state(tmp_path)
    one = exchange("hello")
    one.status = failed
    record(Traffic(state), one, exchange("there"))
    assert [row["answered"] for row in rows_of(state, "traffic")].count(None) == 1


def test_a_kept_text_can_be_found_and_forgotten_to_the_last_byte(tmp_path: Path):
    state = open_state(tmp_path)
    one, other = exchange("Ich heiße Zoë Müllerova, wo ist mein Zelt?", "Liebe Zoë, unterwegs."), exchange("another")
    record(Traffic(state, MASKER), one, other)
    found = {held.texts[-2]: held for held in forgetting.held(tmp_path)}
    assert set(found) == {one.id, other.id}
    assert found[one.id].asked == "Ich heiße Zoë Müllerova, wo ist mein Zelt?"
    assert any("Liebe Zoë" in text for text in found[one.id].texts)
    forgetting.remove(tmp_path, [found[one.id].id])
    stored = bytes_of(state)  # the server runs on
    assert "Müllerova".encode() not in stored
    assert b"another" in stored
    assert len(rows_of(state, "traffic")) == 2  # the figures stay


def test_requests_join_the_pool_where_the_data_does_not_have_them():
    files = Pool([PoolRow("From a file", "pool.txt", 1)])
    asked = [{"id": "req-1", "text": text} for text in ("from a  FILE", "Known", "", "New", "new")]
    found = with_requests(files, asked, {normalise("known")})
    assert [(row.text, row.uri) for row in found.rows] == [("From a file", "pool.txt"), ("New", "traffic/req-1")]
    assert found.known == 3
