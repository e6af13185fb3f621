"""Drift is told where there is some, with the requests behind it, and hardly ever where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.deployment.test_traffic import MASKER, exchange, record
from tunesmith.deployment.drift import STEP, look
from tunesmith.deployment.log_settings import DriftSettings
from tunesmith.deployment.meaning import Distances
from tunesmith.deployment.profile import Profile, make_profile, read_profile, write_profile
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.traffic import Traffic

SETTINGS = DriftSettings(window=500)
LABELS = ("bill", "parcel", "stove", "tent")


def requests(
    random: np.random.Generator, count: int, *, length: float = 60, sure: float = 8, tents: float = 0.25
) -> Any:
    shares = [(1 - tents) / 3] * 3 + [tents]
    for number in range(count):
        yield {
            "characters": int(random.gamma(4, length / 4)) + 1,
            "confidence": float(random.beta(sure, 2)),
            "label": str(random.choice(LABELS, p=shares)),
            "fits_schema": int(random.random() < 0.97),
            "id": f"req-{number}",
        }


def profile(random: np.random.Generator, rows: int = 2000) -> Profile:
    made = list(requests(random, rows))
    numbers = {name: [one[name] for one in made] for name in ("characters", "confidence", "fits_schema")}
    of = dict.fromkeys((*numbers, "label"), "rows")
    return Profile("0123", numbers, {"label": [one["label"] for one in made]}, of)


def add(state: State, made: Any, version: str = "desk@0123") -> None:
    def work(connection):
        [last] = connection.execute("SELECT COALESCE(MAX(answered), 0) FROM traffic WHERE version = ?", (version,))
        connection.executemany(
            "INSERT INTO traffic (id, at, key, route, asked, version, stream, shadow, status, prompt_tokens, "
            "completion_tokens, waited, total, handed_off, characters, confidence, label, fits_schema, answered) "
            "VALUES (:id, 1.0, 'k', 'r', 'm', :version, 0, 0, 200, 1, 1, 0, 1, 0, :characters, :confidence, :label, "
            ":fits_schema, :answered)",
            [one | {"version": version, "answered": last[0] + at} for at, one in enumerate(made, 1)],
        )

    state.change(work)


def test_hardly_ever_is_there_an_alarm_over_many_looks_at_traffic_that_has_not_changed(tmp_path: Path):
    """Two thousand looks would have some hundred alarms at p < 0.05, uncorrected."""
    random = np.random.default_rng(5)
    before, state, alarms = profile(random), open_state(tmp_path), 0
    loose = SETTINGS.model_copy(update={"level": 0.05})
    for _ in range(60):
        add(state, requests(random, STEP))
        alarms += len(look(state, "desk@0123", before, loose).alarms)
    assert alarms == 0


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"length": 300}, "input length"),
        ({"sure": 2}, "confidence"),
        ({"tents": 0.8}, "label mix"),
    ],
)
def test_a_change_is_an_alarm_with_the_requests_that_have_changed_most(tmp_path: Path, change, name):
    random = np.random.default_rng(6)
    before, state = profile(random), open_state(tmp_path)
    add(state, requests(random, 500))
    assert look(state, "desk@0123", before, SETTINGS).alarms == []
    add(state, ({**one, "id": f"new-{one['id']}"} for one in requests(random, 500, **change)))
    [alarm] = look(state, "desk@0123", before, SETTINGS).alarms
    assert alarm.name == name
    assert alarm.p < 0.01
    assert len(alarm.rows) == 10
    assert all(row.id.startswith("new-") and row.text is None for row in alarm.rows)


def test_looking_more_often_or_by_more_people_changes_nothing(tmp_path: Path):
    random = np.random.default_rng(7)
    before, state = profile(random), open_state(tmp_path)
    add(state, requests(random, 600))
    first = look(state, "desk@0123", before, SETTINGS)
    add(state, requests(random, STEP - 1, length=900))
    assert look(state, "desk@0123", before, SETTINGS) == first
    add(state, requests(random, 1))
    assert look(state, "desk@0123", before, SETTINGS) != first


def test_too_few_requests_or_rows_say_nothing(tmp_path: Path):
    random = np.random.default_rng(8)
    before, state = profile(random), open_state(tmp_path)
    add(state, requests(random, STEP - 1, length=900))
    found = look(state, "desk@0123", before, SETTINGS)
    assert (found.requests, found.found) == (0, ())
    assert "100" in found.why
    add(state, requests(random, STEP))
    assert look(state, "desk@0123", profile(random, 49), SETTINGS).found == ()
    assert look(state, "other@0123", before, SETTINGS).requests == 0


def test_the_texts_behind_an_alarm_are_shown_where_they_are_kept(tmp_path: Path):
    state = open_state(tmp_path)
    before = make_profile("0123", ["Where is my parcel?"] * 60 + ["My tent is torn."] * 60, {})
    texts = ["Where is my parcel?"] * 150 + [
        f"I am jo{n}@example.org and this goes on: {'on ' * 99}" for n in range(50)
    ]
    record(Traffic(state, MASKER), *(exchange(text) for text in texts))
    [alarm] = look(state, "desk@0123", before, DriftSettings(window=200)).alarms
    assert alarm.name == "input length"
    shown = [row.text or "" for row in alarm.rows]
    assert shown[0].startswith("I am [EMAIL_1] and")
    assert len(shown) == len(set(shown))  # what came often is shown once


def unit(angles: np.ndarray) -> Any:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)


def test_distances_are_measured_on_rows_that_made_no_centre_and_found_again_for_requests(tmp_path: Path):
    random = np.random.default_rng(9)
    vectors = unit(np.concatenate([random.normal(0, 0.05, 200), random.normal(2, 0.05, 200)]))
    made = make_profile("0123", ["x"] * 400, {}, vectors[random.permutation(400)], "sha")
    write_profile(tmp_path, made)
    again = read_profile(tmp_path, "0123")
    assert again == made or again is not None
    assert len(made.numbers["distance"]) == 200
    assert max(made.numbers["distance"]) < 0.05
    assert made.distances(unit(np.array([0.0, 4.0]))).tolist() == pytest.approx([0.0, 1.4], abs=0.1)


def test_requests_get_their_distance_beside_the_work_and_no_more_than_can_be_borne(tmp_path: Path):
    state = open_state(tmp_path)
    before = Profile("0123", {}, {}, {}, ((1.0, 0.0),), "sha")
    seen: list[str] = []

    def embed(texts: Any) -> Any:
        seen.extend(texts)
        return np.array([[0.0, 1.0]], np.float16)

    distances = Distances(state, lambda version: before if version == "desk@0123" else None, lambda: embed)
    record(Traffic(state, None, distances.hear), *(exchange(f"question {number}") for number in range(5)))
    for _ in range(500):
        found = state.look(lambda one: one.execute("SELECT COUNT(distance), MAX(distance) FROM traffic").fetchone())
        if found[0] == 5:
            break
        distances._closed.wait(0.02)
    assert tuple(found) == (5, 1.0)
    for number in range(10_000):
        distances.hear(number, "desk@0123", "flood")
    distances.close()
    assert len(seen) < 200
    state.close()


def test_a_profile_holds_no_text_and_none_of_an_older_form_is_read(tmp_path: Path):
    made = make_profile("0123", ["my secret question"] * 60, {"label": ["tent"] * 60, "confidence": [0.5] * 60})
    path = write_profile(tmp_path, made)
    assert "secret" not in path.read_text()
    path.write_text(path.read_text().replace('"version": 1', '"version": 0'))
    assert read_profile(tmp_path, "0123") is None
