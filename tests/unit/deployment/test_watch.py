"""The figures of the traffic are those of its rows, however many there are."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.unit.deployment.test_traffic import exchange, record
from tunesmith.deployment.exchange import Action
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.traffic import Traffic
from tunesmith.deployment.watch import Price, watch

MANY = (
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows}) "
    "INSERT INTO traffic (id, at, key, route, asked, version, stream, shadow, status, error, prompt_tokens, "
    "completion_tokens, waited, first_token, between_tokens, total, handed_off, characters, answered) "
    "SELECT 'req-' || i, 1000.0 + i * 0.1, 'key' || (i % 5), '/v1/chat/completions', 'm', 'm@000' || (i % 3), 0, 0, "
    "CASE i % 50 WHEN 0 THEN 429 ELSE 200 END, CASE i % 50 WHEN 0 THEN 'queue_full' END, 30, 20, 0.001, "
    "((i * 7919) % 10007) / 10007.0, 0.01, 2 * ((i * 7919) % 10007) / 10007.0, 0, 30, i FROM n"
)


def filled(folder: Path, rows: int) -> State:
    state = open_state(folder)
    state.change(lambda connection: connection.execute(MANY.format(rows=rows)))
    return state


def test_two_hundred_thousand_requests_are_added_up_exactly_and_in_time(tmp_path: Path):
    rows = 200_000
    state = filled(tmp_path, rows)
    began = time.process_time()
    found = watch(state, 0, 1e9, Price(million_tokens=2.0))
    assert time.process_time() - began < 6  # seconds of the processor; about one on a quiet core
    number = np.arange(rows)
    answered = number % 50 != 0
    total = (2 * ((number * 7919) % 10007) / 10007.0)[answered]
    assert (found.all.requests, found.all.errors) == (rows, rows // 50)
    assert list(found.all.total.values()) == pytest.approx(np.quantile(total, [0.5, 0.95, 0.99]), rel=1e-6)
    assert sum(line.requests for line in found.versions) == sum(line.requests for line in found.keys) == rows
    assert found.all.cost == pytest.approx(rows * 50 / 1e6 * 2.0)
    assert found.all.per_thousand == pytest.approx(0.1)
    assert found.errors == [{"status": 429, "code": "queue_full", "requests": 4000, "latest": pytest.approx(20_995.0)}]
    state.close()


def test_beyond_what_is_held_in_memory_times_are_those_of_every_so_manyth(tmp_path: Path, monkeypatch):
    state = filled(tmp_path, 3000)
    exact = watch(state, 0, 1e9)
    monkeypatch.setattr("tunesmith.deployment.watch.MOST", 1000)
    thinned = watch(state, 0, 1e9)
    assert (exact.every, thinned.every, thinned.all.requests) == (1, 3, 3000)
    assert thinned.all.total["median"] == pytest.approx(exact.all.total["median"], abs=0.1)


def test_an_hour_costs_what_it_costs_however_many_requests_share_it(tmp_path: Path):
    state = open_state(tmp_path)
    made = []
    for key, at, total in (("a", 100.0, 10.0), ("b", 100.0, 10.0), ("a", 105.0, 10.0), ("a", 200.0, 5.0)):
        one = exchange("x", arrived_at=at)
        one.key, one.total = key, total
        made.append(one)
    record(Traffic(state), *made)
    found = watch(state, 0, 1e9, Price(hour=3600.0))
    assert found.all.seconds == pytest.approx(20.0)  # 100 to 115, and 200 to 205
    assert found.all.cost == pytest.approx(20.0)
    assert sum(line.cost for line in found.keys) == pytest.approx(20.0)  # type: ignore[misc]
    assert {line.name: round(line.seconds, 3) for line in found.keys} == {"a": 14.286, "b": 5.714}


def test_rules_refusals_and_the_shadow_are_told_apart(tmp_path: Path):
    state = open_state(tmp_path)
    refused, masked, shadow = exchange("a"), exchange("b"), exchange("c", shadow=True)
    refused.actions += [Action("secrets", "refuse", "before"), Action("secrets", "refuse", "after")]
    masked.actions.append(Action("cards", "mask", "before"))
    record(Traffic(state), refused, masked, shadow)
    found = watch(state, 0, time.time() + 10)
    assert (found.all.requests, found.all.refused, found.shadow) == (2, 1, 1)
    assert {(one["rule"], one["did"], one["place"]): one["times"] for one in found.rules} == {
        ("cards", "mask", "before"): 1,
        ("secrets", "refuse", "before"): 1,
        ("secrets", "refuse", "after"): 1,
    }


def test_no_traffic_is_no_traffic(tmp_path: Path):
    found = watch(open_state(tmp_path), 0, 1e9, Price(hour=1.0))
    assert (found.all.requests, found.all.total, found.versions, found.all.cost) == (0, {}, [], 0.0)
    assert found.all.per_thousand is None
