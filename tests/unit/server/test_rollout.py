"""Versions follow each other under load: no request fails, each stream is whole, no answer is another version's."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.recipes.small_project import ROOT
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.outcomes import shadows_of
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.versions import MAIN

NAME = "desk"
QUESTION = "Where is my parcel? It should have come on Monday."
CLIENTS = 4


def version_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def record(state: State, number: int, **made_of: Any) -> str:
    state.change(lambda one: versions.add(one, version_id(number), {"number": number, **made_of}))
    return version_id(number)


@dataclass
class Desk:
    """A server of versions, what it keeps, and its process."""

    folder: Path
    state: State
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.01
    process: Any = None
    client: Any = None

    def start(self) -> None:
        arguments = [str(self.folder), str(self.seconds), json.dumps(self.settings)]
        command = [sys.executable, "-m", "tests.unit.server.double_versions", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        told = json.loads(self.process.stdout.readline())
        url = f"http://127.0.0.1:{told['port']}/v1"
        self.client = openai.OpenAI(base_url=url, api_key=told["key"], max_retries=0, timeout=60)

    def stop(self, how: int = signal.SIGKILL) -> int:
        self.process.send_signal(how)
        self.process.communicate(timeout=30)
        return int(self.process.returncode)

    def ask(self, model: str = NAME, text: str = QUESTION, **more: Any) -> Any:
        messages = [{"role": "user", "content": text}]
        return self.client.chat.completions.create(model=model, messages=messages, **more)

    def said(self, **more: Any) -> str:
        """The version that an answer is of, by its own words."""
        answer = self.ask(**more)
        shown = answer.choices[0].message.content.partition(": ")[0]
        assert answer.model == f"{NAME}@{shown}"
        return str(shown)

    def shown(self, id: str) -> str:
        return self.state.look(lambda one: versions.get(one, id)).shown

    def roll(self, kind: Any, version: str, **more: Any) -> Rollout:
        return self.done(self.state.change(lambda one: rollouts.ask(one, kind, version, **more)))

    def done(self, rollout: Rollout) -> Rollout:
        """Wait as the command does."""
        ends = time.monotonic() + 30
        while not rollout.over:
            assert time.monotonic() < ends, rollout
            time.sleep(0.01)
            rollout = self.now(rollout)
        return rollout

    def last(self) -> Rollout:
        return self.state.look(rollouts.everything)[-1]

    def now(self, rollout: Rollout) -> Rollout:
        return self.state.look(lambda one: rollouts.get(one, rollout.id))

    def until(self, what: Callable[[], bool]) -> None:
        ends = time.monotonic() + 30
        while not what():
            assert time.monotonic() < ends
            time.sleep(0.02)


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(**more: Any) -> Desk:
        desk = Desk(tmp_path, open_state(tmp_path), **more)
        first = record(desk.state, 0)
        desk.state.change(lambda one: rollouts.record_first(one, first))
        made.append(desk)
        return desk

    yield make
    for desk in made:
        if desk.process is not None:
            desk.process.kill()
            desk.process.communicate()
        desk.state.close()


@dataclass
class Load:
    """Clients that ask without a pause; what each was told, and between which moments."""

    desk: Desk
    answers: list[tuple[float, float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    over: bool = False

    def ask(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self.over:
            began, stream = time.monotonic(), rng.random() < 0.5
            question = f"{QUESTION} {rng.random()}"
            try:
                shown, said = self._stream(question) if stream else self._whole(question)
            except Exception as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                continue
            if said != f"{shown}: {question}":
                self.faults.append(f"{shown} said {said!r}")
            self.answers.append((began, time.monotonic(), shown))

    def _whole(self, question: str) -> tuple[str, str]:
        answer = self.desk.ask(text=question)
        assert answer.choices[0].finish_reason == "stop"
        return answer.model.partition("@")[2], answer.choices[0].message.content

    def _stream(self, question: str) -> tuple[str, str]:
        chunks = list(self.desk.ask(text=question, stream=True))
        [model] = {chunk.model for chunk in chunks}
        assert chunks[-1].choices[0].finish_reason == "stop"
        return model.partition("@")[2], "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@contextmanager
def load_on(desk: Desk) -> Iterator[Load]:
    load = Load(desk)
    threads = [threading.Thread(target=load.ask, args=(seed,)) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over = True
        for thread in threads:
            thread.join()


def deploy_again_and_again(desk: Desk, count: int) -> Load:
    """Deployments and rollbacks in turn, under load; what each client may have been told is known at each moment."""
    shown = desk.shown(version_id(0))
    moments = [(0.0, shown, shown)]  # from then on: what may answer, before the next
    history = [version_id(0)]
    with load_on(desk) as load:
        for number in range(count):
            began = time.monotonic()
            if number % 4 == 3:
                history.pop()
                rollout = desk.done(desk.state.change(rollouts.ask_back))
            else:
                history.append(record(desk.state, number + 1))
                rollout = desk.roll("deploy", history[-1])
            assert rollout.worked, rollout
            assert rollout.version == history[-1]
            ended = time.monotonic()
            moments.append((began, desk.shown(history[-1]), "begins"))
            moments.append((ended, desk.shown(history[-1]), "ended"))
    assert load.faults == []
    assert_no_wrong_version(moments, load)
    return load


def assert_no_wrong_version(moments: list[tuple[float, str, str]], load: Load) -> None:
    """An answer is of the version that was at work when its request came, or of one that was taking over until it
    ended."""
    ended = [(at, shown) for at, shown, what in moments if what != "begins"]
    begun = [(at, shown) for at, shown, what in moments if what == "begins"]
    assert len(load.answers) > len(begun)
    for came, went, told in load.answers:
        allowed = {[shown for at, shown in ended if at <= came][-1]}
        last = max(at for at, _ in ended if at <= came)
        allowed |= {shown for at, shown in begun if last <= at <= went}
        assert told in allowed


def test_deployments_and_rollbacks_under_load_fail_no_request(desks: Callable[..., Desk]) -> None:
    desk = desks()
    desk.start()
    load = deploy_again_and_again(desk, 6)
    assert len({shown for _, _, shown in load.answers}) >= 5
    assert desk.stop(signal.SIGTERM) == 0


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_hundred_deployments_and_rollbacks_under_load_fail_no_request(desks: Callable[..., Desk]) -> None:
    desk = desks()
    desk.start()
    load = deploy_again_and_again(desk, 100)
    print(f"100 deployments and rollbacks, {len(load.answers):,} requests, {len(load.faults)} failed")  # noqa: T201
    assert len({shown for _, _, shown in load.answers}) >= 50
    assert desk.stop(signal.SIGTERM) == 0


def test_a_canary_answers_its_share_and_a_user_always_gets_the_same_version(desks: Callable[..., Desk]) -> None:
    desk = desks()
    desk.start()
    old, new = desk.shown(version_id(0)), desk.shown(record(desk.state, 1))
    assert desk.roll("canary", version_id(1), share=0.3).stage == "active"
    told = Counter(desk.said() for _ in range(200))
    assert set(told) == {old, new}
    assert 30 <= told[new] <= 95  # 60 are expected; beyond this once in a million
    users = {user: desk.said(user=user) for user in map(str, range(40))}
    assert set(users.values()) == {old, new}
    assert all(desk.said(user=user) == shown for user, shown in users.items())
    assert (desk.said(model=f"{NAME}:canary"), desk.said(model=f"{NAME}@{new}")) == (new, new)
    assert desk.roll("canary", version_id(1), share=0.6).stage == "active"
    assert all(desk.said(user=user) == new for user, shown in users.items() if shown == new)
    assert desk.done(desk.state.change(rollouts.ask_promotion)).stage == "active"
    assert {desk.said() for _ in range(20)} == {new}
    assert desk.said(model=f"{NAME}:canary") == new
    cards = {one.id: one.model_extra for one in desk.client.models.list().data}
    assert set(cards) == {NAME, f"{NAME}:canary", f"{NAME}@{new}"}
    with pytest.raises(openai.NotFoundError):
        desk.ask(model=f"{NAME}@{old}")


def test_a_canary_that_breaks_down_is_taken_back_by_itself(desks: Callable[..., Desk]) -> None:
    desk = desks(settings={"least_requests": 10})
    desk.start()
    record(desk.state, 1, fails=True)
    rollout = desk.roll("canary", version_id(1), share=0.5)
    failed = 0
    while desk.now(rollout).stage == "active":
        try:
            desk.ask()
        except openai.InternalServerError:
            failed += 1
        assert failed < 200
    told = desk.now(rollout)
    assert (told.stage, told.why.startswith("errors: 100.0%, before 0.0%")) == ("rolled_back", True)
    assert desk.done(desk.last()).automatic
    assert {desk.said() for _ in range(20)} == {desk.shown(version_id(0))}
    assert desk.said(model=f"{NAME}:canary") == desk.shown(version_id(0))


def test_a_version_that_is_worse_after_the_switch_gives_way_to_the_one_before(desks: Callable[..., Desk]) -> None:
    desk = desks(settings={"least_requests": 10})
    desk.start()
    for _ in range(30):
        desk.ask()
    record(desk.state, 1, fails=True)
    rollout = desk.roll("deploy", version_id(1))
    failed = 0
    while desk.now(rollout).stage == "active":
        try:
            desk.ask()
        except openai.InternalServerError:
            failed += 1
        assert failed < 200
    assert desk.now(rollout).stage == "rolled_back"
    assert desk.done(desk.last()).automatic
    assert desk.said() == desk.shown(version_id(0))


def test_a_version_that_misses_its_check_never_answers(desks: Callable[..., Desk]) -> None:
    desk = desks()
    desk.start()
    record(desk.state, 1, wrong=True)
    with load_on(desk) as load:
        told = desk.roll("deploy", version_id(1))
    assert (told.stage, "certificate" in told.why) == ("failed", True)
    assert load.faults == []
    assert {shown for _, _, shown in load.answers} == {desk.shown(version_id(0))}


def test_a_version_in_the_shadow_is_compared_and_answers_nobody(desks: Callable[..., Desk]) -> None:
    desk = desks()
    desk.start()
    record(desk.state, 1)
    rollout = desk.roll("shadow", version_id(1))
    old = desk.shown(version_id(0))
    assert {desk.said(temperature=more) for more in (0, None, 1.0) for _ in range(3)} == {old}
    found: list[Any] = []

    def compared() -> bool:
        found[:] = desk.state.look(lambda one: shadows_of(one, rollout.id))
        return len(found) == 6  # what is drawn at random cannot be compared

    desk.until(compared)
    assert [one.equal for one in found] == [False] * 6  # the double says its own name
    assert all(one.seconds and one.seconds_before and one.request.startswith("req-") for one in found)
    with pytest.raises(openai.NotFoundError):
        desk.ask(model=f"{NAME}@{desk.shown(version_id(1))}")


def test_a_name_of_ones_own_leads_to_its_version_whatever_is_deployed(desks: Callable[..., Desk]) -> None:
    desk = desks()
    desk.start()
    for number in (1, 2):
        record(desk.state, number)
    assert desk.roll("alias", version_id(1), name="stable").stage == "done"
    assert desk.roll("deploy", version_id(2)).worked
    assert desk.said(model=f"{NAME}:stable") == desk.shown(version_id(1))
    assert desk.said() == desk.shown(version_id(2))
    desk.state.change(lambda one: versions.drop(one, "stable"))
    desk.until(lambda: [one.id for one in desk.client.models.list().data] == [NAME, f"{NAME}@{desk.said()}"])


@pytest.mark.parametrize("seed", range(2))
def test_a_server_killed_at_any_moment_of_a_deployment_goes_on_with_it(desks: Callable[..., Desk], seed: int) -> None:
    desk = desks(seconds=0.1)
    rng = random.Random(seed)
    expected = version_id(0)
    for number in range(1, 4):
        desk.start()
        record(desk.state, number)
        rollout = desk.state.change(partial(rollouts.ask, kind="deploy", version=version_id(number)))
        time.sleep(rng.random() * 0.5)
        desk.stop()
        main = desk.state.look(versions.aliases)[MAIN]
        assert main in (expected, version_id(number))
        desk.start()
        assert desk.done(rollout).worked
        expected = version_id(number)
        assert desk.said() == desk.shown(expected)
        desk.stop()


def test_a_version_that_ends_the_server_is_given_up(desks: Callable[..., Desk]) -> None:
    desk = desks()
    record(desk.state, 1, dies=True)
    desk.start()
    rollout = desk.state.change(lambda one: rollouts.ask(one, "deploy", version_id(1)))
    for _ in range(rollouts.MOST_ATTEMPTS):
        desk.process.wait(30)
        desk.process.communicate()
        desk.start()
    told = desk.done(rollout)
    assert (told.stage, "ended 2 times" in told.why) == ("failed", True)
    assert desk.said() == desk.shown(version_id(0))


def test_a_second_server_of_a_project_follows_the_first(desks: Callable[..., Desk], tmp_path: Path) -> None:
    desk = desks()
    desk.start()
    other = Desk(tmp_path, desk.state)
    other.start()
    try:
        record(desk.state, 1)
        assert desk.roll("deploy", version_id(1)).worked
        other.until(lambda: other.said() == desk.shown(version_id(1)))
        desk.stop()
        record(desk.state, 2)
        assert other.roll("deploy", version_id(2)).worked  # it leads now
    finally:
        other.stop()
