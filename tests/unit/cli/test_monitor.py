"""`tunesmith monitor`: what it shows in a pipe and as JSON, and what it says where there is nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.unit.deployment.test_traffic import exchange, record
from tunesmith import Project
from tunesmith.cli.main import main
from tunesmith.cli.monitor import hours_of
from tunesmith.deployment.exchange import Action
from tunesmith.deployment.profile import Profile, write_profile
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.traffic import Traffic
from tunesmith.errors import InputError


@pytest.fixture
def served(tmp_path: Path) -> Project:
    project = Project.create(tmp_path / "desk", input="text", output="label")
    state = open_state(project.store.root)
    log = Traffic(state)
    late, refused, old = exchange("x"), exchange("y"), exchange("z", arrived_at=time.time() - 30 * 3600)
    late.total, late.first_token, late.prompt_tokens, late.completion_tokens = 1.5, 0.25, 400, 100
    refused.status, refused.error = 429, "queue_full"
    late.actions.append(Action("no [bold]prices[/bold]", "refuse", "after"))
    record(log, late, refused, old)
    state.close()
    return project


def test_in_a_pipe_it_is_shown_once(served, capsys):
    assert main(["monitor", "--project", str(served.root)]) == 0
    shown = capsys.readouterr().out
    assert "desk, the last 24 h: 2 requests" in shown
    for words in ("desk@0123", "website", "429 queue_full", "1.50 s", "250 ms", "no [bold]prices[/bold]", "Drift of"):
        assert words in shown
    assert "cost" not in shown


def test_the_price_is_that_of_advise(served, capsys):
    text = served.file.read_text() + "\nadvise: {price_per_million_tokens: 2.0}\n"
    served.file.write_text(text)
    assert main(["monitor", "--project", str(served.root), "--json", "--since", "2d"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["all"]["requests"] == 3
    assert found["all"]["cost"] == pytest.approx(500 / 1e6 * 2.0)
    assert found["priced_by"] == "tokens"
    assert found["errors"][0]["code"] == "queue_full"
    assert served.watch(48).all == served.watch(48.0).all


def test_an_alarm_is_a_line_of_its_own_and_its_requests_are_shown(served, capsys, monkeypatch):
    profile = Profile("0123", {"characters": [40.0, 41.0, 42.0] * 50}, {}, {"characters": "training rows"})
    write_profile(served.store.root, profile)
    state = open_state(served.store.root)
    record(Traffic(state), *(exchange("a text of some length " * 20) for _ in range(200)))
    state.close()

    class Training:
        id = "0123"

    monkeypatch.setattr("tunesmith.watching.training_of", lambda project, version: Training)
    assert main(["monitor", "--project", str(served.root), "--once"]) == 0
    assert "DRIFT of desk@0123: input length was median 41 (40 to 42), now median 440" in capsys.readouterr().out
    assert main(["monitor", "--project", str(served.root), "--drift"]) == 0
    shown = capsys.readouterr().out
    assert "ALARM" in shown
    assert shown.count("req-") == 10
    assert "a text of some" not in shown  # texts are not kept here
    assert served.drift()[0].alarms


def test_before_anything_was_served_it_says_so(tmp_path, capsys):
    project = Project.create(tmp_path / "desk", input="text", output="label")
    assert main(["monitor", "--project", str(project.root)]) == 2
    assert "nothing_served" in capsys.readouterr().err
    assert not (project.store.root / "serve").exists()


@pytest.mark.parametrize(("words", "hours"), [("30m", 0.5), ("24h", 24), ("7d", 168), ("1.5w", 252)])
def test_how_far_to_look_back(words, hours):
    assert hours_of(words) == hours


@pytest.mark.parametrize("words", ["", "24", "0h", "h", "-1h", "1y", "9999999h"])
def test_what_is_no_time_is_refused(words):
    with pytest.raises(InputError, match="wrong_number"):
        hours_of(words)
