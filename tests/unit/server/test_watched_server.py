"""What is watched of a server: Prometheus' figures, the log, and that private data is in none of it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import httpx2
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.private_rows import Row
from benchmarks.private_rows import rows as private_rows
from tests.recipes.small_project import ROOT
from tests.unit.server.conftest import Running, running
from tunesmith.privacy.mask import masked_text

EMAIL = "jo.private@example.org"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "log.json").write_text(json.dumps({"text": True}))
    (folder / "hand_off.json").write_text("{}")
    with running(folder) as found:
        yield found


def figures(server: Running) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    reply = server.ask("GET", "/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def counted(server: Running, name: str, **labels: str) -> float:
    return sum(value for given, value in figures(server).get(name, {}).items() if labels.items() <= dict(given).items())


def ask(server: Running, text: str, **more: object) -> None:
    server.client.chat.completions.create(
        model="echo",
        messages=[{"role": "user", "content": text}],
        max_tokens=50,
        **more,  # type: ignore[call-overload]
    )


def test_the_figures_are_behind_a_key(watched):
    assert watched.ask("GET", "/metrics", key=None).status_code == 401
    assert watched.ask("GET", "/metrics", key="wrong").status_code == 401


def test_what_was_answered_is_counted_with_its_tokens_and_times(watched):
    def now() -> list[float]:
        names = (
            "request_success_total", "prompt_tokens_total", "generation_tokens_total",
            "time_to_first_token_seconds_count", "e2e_request_latency_seconds_count",
            "request_time_per_output_token_seconds_count", "handed_off_total",
        )  # fmt: skip
        return [counted(watched, f"tunesmith:{name}", model_name="echo", version="echo@e012") for name in names]

    before = now()
    ask(watched, "hello")
    assert [after - one for after, one in zip(now(), before, strict=True)] == [1, 5, 6, 1, 1, 1, 1]
    assert counted(watched, "tunesmith:num_requests_running", model_name="echo") == 0


def test_requests_that_were_refused_are_counted(watched):
    before = counted(watched, "tunesmith:http_requests_total", status="401")
    watched.ask("GET", f"/v1/models/{EMAIL}", key="wrong")
    assert counted(watched, "tunesmith:http_requests_total", status="401", code="invalid_api_key") == before + 1
    client = watched.with_key("hasty", requests_a_minute=1)
    client.models.list()
    with pytest.raises(openai.RateLimitError):
        client.models.list()
    found = counted(watched, "tunesmith:http_requests_total", status="429", route="/v1/models")
    assert found == 1


def test_labels_hold_nothing_that_a_client_wrote(watched):
    watched.ask("GET", f"/{EMAIL}")
    watched.ask("GET", f"/v1/models/{EMAIL}")
    watched.ask("POST", "/v1/chat/completions", json={"model": EMAIL, "messages": []})
    shown = watched.ask("GET", "/metrics").text
    assert EMAIL not in shown
    routes = set(re.findall(r'route="([^"]*)"', shown))
    assert {"none", "/v1/models/{name}"} <= routes
    with sqlite3.connect(watched.folder / "serve" / "state.db") as database:
        stored = {row[0] for row in database.execute("SELECT DISTINCT route FROM traffic")}
        assert {"none", "/v1/models/{name}"} <= stored
        assert database.execute("SELECT COUNT(*) FROM traffic WHERE asked LIKE '%@example%'").fetchone() == (0,)


def test_the_queries_on_the_page_ask_for_figures_that_there_are(watched: Running) -> None:
    ask(watched, "a question")
    page = (ROOT / "docs" / "monitor.md").read_text(encoding="utf-8")
    [queries] = [text for text in re.findall(r"^```text\n(.*?)^```", page, re.M | re.S) if "histogram_quantile" in text]
    samples = re.findall(r"tunesmith:\w+", queries)
    assert len(samples) >= 5
    assert set(samples) <= set(figures(watched))


def test_what_waits_and_runs_is_shown_while_it_does(tmp_path: Path):
    with running(tmp_path) as server, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, server, "hold on") for _ in range(3)]
        for _ in range(200):
            now = [
                counted(server, f"tunesmith:num_requests_{what}", model_name="echo") for what in ("running", "waiting")
            ]
            if now == [2, 1]:
                break
        assert now == [2, 1]
        server.go()
        for one in asked:
            one.result()
        assert counted(server, "tunesmith:num_requests_running", model_name="echo") == 0


def planted_rows() -> list[Row]:
    """Two rows with a value of each kind, of those that the detectors find; what they miss a benchmark measures."""
    found: dict[str, list[Row]] = {}
    for row in private_rows(1, seed=11):
        if row.kind and row.text[row.start : row.end] not in masked_text(row.text):
            found.setdefault(row.kind, []).append(row)
    return [row for of_kind in found.values() for row in of_kind[:2]]


def test_private_data_in_traffic_is_in_no_log_metric_trace_or_crash_message(tmp_path: Path):
    """Values of every kind, through answers, streams, refusals and crashes, with texts logged and hand-offs queued."""
    planted = planted_rows()
    assert len({row.kind for row in planted}) >= 10
    (tmp_path / "log.json").write_text(json.dumps({"text": True}))
    with running(tmp_path) as server:
        said: list[str] = []
        reading = Thread(target=lambda: said.extend(server.process.stderr or ()))
        reading.start()
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda row: send(server, row.text), planted))
        shown = server.ask("GET", "/metrics").text
        server.process.terminate()
        server.process.wait(30)
        reading.join()
    complained = "".join(said)
    assert complained.count("RuntimeError") >= len(planted)  # it did break down, and said where
    places = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(places["spans.jsonl"]) > 10_000
    assert b"[EMAIL_1]" in places["serve/state.db"]
    places |= {"/metrics": shown.encode(), "stderr": complained.encode()}
    values = {row.text[row.start : row.end] for row in planted}
    leaked = [
        (place, value)
        for value in values
        for place, text in places.items()
        if any(form in text for form in forms(value))
    ]
    assert leaked == []


def forms(value: str) -> set[bytes]:
    """How a value may be written: as it is, escaped as JSON and Python do, and in a URL."""
    return {
        value.encode(),
        json.dumps(value)[1:-1].encode(),
        repr(value)[1:-1].encode(),
        quote(value).encode(),
        quote(value, safe="").encode(),
    }


def send(server: Running, text: str) -> int:
    """Ask in every way, right ones and wrong ones; how many answers came."""
    said = [{"role": "user", "content": text}]
    failing = [{"role": "user", "content": f"fail {text}"}]
    tries: list[tuple[str, str, Any]] = [
        ("POST", "/v1/chat/completions", {"model": "echo", "messages": said}),
        ("POST", "/v1/chat/completions", {"model": "echo", "messages": said, "stream": True}),
        ("POST", "/v1/chat/completions", {"model": "letters", "messages": said}),
        ("POST", "/v1/chat/completions", {"model": "echo", "messages": failing}),
        ("POST", "/v1/chat/completions", {"model": "echo", "messages": failing, "stream": True}),
        ("POST", "/v1/chat/completions", {"model": text, "messages": said}),
        ("POST", "/v1/chat/completions", {"model": "echo", "messages": text}),
        ("POST", "/v1/chat/completions", {"model": "echo", "messages": said, text: 1}),
        ("POST", "/v1/completions", {"model": "echo", "prompt": text, "stop": [text[:100]]}),
        ("POST", "/v1/classifications", {"model": "letters", "input": [text, text]}),
        ("POST", "/v1/embeddings", {"model": "letters", "input": text, "user": text}),
        ("GET", f"/v1/models/{quote(text, safe='')}", None),
        ("GET", f"/{quote(text)}?q={quote(text)}", None),
    ]
    plain = text.encode("ascii", "replace").decode().strip()
    answered = 0
    with httpx2.Client(base_url=server.url, headers={"authorization": f"Bearer {server.key}"}, timeout=60) as client:
        for method, path, body in tries:
            while client.request(method, path, json=body).status_code == 429:
                pass
            answered += 1
        client.post(
            "/v1/chat/completions", content=text.encode(), headers={"traceparent": plain, "x-request-id": plain}
        )
        client.get("/v1/models", headers={"authorization": f"Bearer {plain}"})
    return answered
