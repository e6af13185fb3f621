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

    @property
    def main(self) -> str:
        """The version at work, as it is shown."""
        return self.shown(self.state.look(versions.aliases)[MAIN])

    def fresh(self, **made_of: Any) -> str:
        """Record another version."""
        return record(self.state, len(self.state.look(versions.everything)), **made_of)

    def last(self) -> Rollout:
        return self.state.look(rollouts.everything)[-1]

    def now(self, rollout: Rollout) -> Rollout:
        return self.state.look(lambda one: rollouts.get(one, rollout.id))

    def until(self, what: Callable[[], bool]) -> None:
        ends = time.monotonic() + 30
        while not what():
            assert time.monotonic() < ends
            time.sleep(0.02)


def desk_in(folder: Path, **more: Any) -> Desk:
    desk = Desk(folder, open_state(folder), **more)
    first = record(desk.state, 0)
    desk.state.change(lambda one: rollouts.record_first(one, first))
    return desk


def end(desk: Desk) -> None:
    if desk.process is not None:
        desk.process.kill()
        desk.process.communicate()
    desk.state.close()


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(**more: Any) -> Desk:
        made.append(desk_in(tmp_path, **more))
        return made[-1]

    yield make
    for desk in made:
        end(desk)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A server that goes on from test to test, soon to judge."""
    found = desk_in(tmp_path_factory.mktemp("desk"), settings={"least_requests": 10})
    found.start()
    yield found
    assert found.stop(signal.SIGTERM) == 0
    end(found)


@dataclass
class Load:
    """Clients that ask without a pause; what each was told, and between which moments."""

    desk: Desk
    answers: list[tuple[float, float, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
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

    def has_answer(self, since: float, shown: str) -> bool:
        """Whether this version answered a request that came since then."""
        return any(came >= since and told == shown for came, _, told in self.answers[-4 * CLIENTS :])

    def _whole(self, question: str) -> tuple[str, str]:
        answer = self.desk.ask(text=question)
        assert answer.choices[0].finish_reason == "stop"
        return answer.model.partition("@")[2], answer.choices[0].message.content

    def _stream(self, question: str) -> tuple[str, str]:
        chunks = list(self.desk.ask(text=question, stream=True))
        [model] = {chunk.model for chunk in chunks}
        assert chunks[-1].choices[0].finish_reason == "stop"
        self.streams.append(chunks[0].id)
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
    history = [desk.state.look(versions.aliases)[MAIN]]
    moments = [(0.0, desk.main, "ended")]
    with load_on(desk) as load:
        for number in range(count):
            began = time.monotonic()
            if number % 4 == 3:
                history.pop()
                rollout = desk.done(desk.state.change(rollouts.ask_back))
            else:
                history.append(desk.fresh(slow=0.002))  # so that answers are under way when it is switched
                rollout = desk.roll("deploy", history[-1])
            assert rollout.worked, rollout
            assert rollout.version == history[-1]
            ended = time.monotonic()
            shown = desk.shown(history[-1])
            moments += [(began, shown, "begins"), (ended, shown, "ended")]
            desk.until(lambda at=ended, shown=shown: load.has_answer(at, shown))  # type: ignore[misc]
    assert load.faults == []
    assert_no_wrong_version(moments, load)
    switched = [at for at, _, what in moments if what == "ended"]
    across = sum(any(came < at < went for at in switched) for came, went, _ in load.answers)
    assert across
    print(  # noqa: T201
        f"{count} deployments and rollbacks under {CLIENTS} clients: {len(load.answers):,} requests, "
        f"{len(load.streams):,} of them streams, {across:,} under way in a switch; {len(load.faults)} failed"
    )
    return load


def assert_no_wrong_version(moments: list[tuple[float, str, str]], load: Load) -> None:
    """An answer is of the version that was at work when its request came, or of one that was taking over until it
    ended."""
    ended = [(at, shown) for at, shown, what in moments if what == "ended"]
    begun = [(at, shown) for at, shown, what in moments if what == "begins"]
    assert len(load.answers) > len(begun)
    for came, went, told in load.answers:
        allowed = {[shown for at, shown in ended if at <= came][-1]}
        last = max(at for at, _ in ended if at <= came)
        allowed |= {shown for at, shown in begun if last <= at <= went}
        assert told in allowed


def test_deployments_and_rollbacks_under_load_fail_no_request(desk: Desk) -> None:
    deploy_again_and_again(desk, 5)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_hundred_deployments_and_rollbacks_under_load_fail_no_request(desk: Desk) -> None:
    load = deploy_again_and_again(desk, 100)
    assert len({shown for _, _, shown in load.answers}) >= 75


def test_a_canary_answers_its_share_and_a_user_always_gets_the_same_version(desk: Desk) -> None:
    old, id = desk.main, desk.fresh()
    new = desk.shown(id)
    assert desk.roll("canary", id, share=0.3).stage == "active"
    told = Counter(desk.said() for _ in range(100))
    assert set(told) == {old, new}
    assert 10 <= told[new] <= 53  # 30 are expected; beyond this once in a million
    users = {user: desk.said(user=user) for user in map(str, range(20))}
    assert set(users.values()) == {old, new}
    assert all(desk.said(user=user) == shown for user, shown in users.items())
    assert (desk.said(model=f"{NAME}:canary"), desk.said(model=f"{NAME}@{new}")) == (new, new)
    assert desk.roll("canary", id, share=0.6).stage == "active"
    assert all(desk.said(user=user) == new for user, shown in users.items() if shown == new)
    assert desk.done(desk.state.change(rollouts.ask_promotion)).stage == "active"
    assert {desk.said() for _ in range(20)} == {new}
    assert desk.said(model=f"{NAME}:canary") == new
    cards = {one.id: one.model_extra for one in desk.client.models.list().data}
    assert set(cards) == {NAME, f"{NAME}:canary", f"{NAME}@{new}"}
    with pytest.raises(openai.NotFoundError):
        desk.ask(model=f"{NAME}@{old}")


def fail_until_taken_back(desk: Desk, rollout: Rollout) -> Rollout:
    """Ask a version that breaks down until it is taken back; then the one before answers."""
    failed = 0
    while desk.now(rollout).stage == "active":
        try:
            desk.ask()
        except openai.InternalServerError:
            failed += 1
            time.sleep(0.02)  # the server looks at what came of requests beside answering them
        assert failed < 2000
    assert desk.done(desk.last()).automatic
    return desk.now(rollout)


def test_a_canary_that_breaks_down_is_taken_back_by_itself(desk: Desk) -> None:
    old = desk.main
    told = fail_until_taken_back(desk, desk.roll("canary", desk.fresh(fails=True), share=0.5))
    assert (told.stage, told.why.startswith("errors: 100.0%, before 0.0%")) == ("rolled_back", True)
    assert {desk.said() for _ in range(10)} == {old} == {desk.said(model=f"{NAME}:canary")}


def test_a_version_that_is_worse_after_the_switch_gives_way_to_the_one_before(desk: Desk) -> None:
    old = desk.main
    assert {desk.said() for _ in range(20)} == {old}
    assert fail_until_taken_back(desk, desk.roll("deploy", desk.fresh(fails=True))).stage == "rolled_back"
    assert desk.said() == old


def test_a_version_that_misses_its_check_never_answers(desk: Desk) -> None:
    with load_on(desk) as load:
        told = desk.roll("deploy", desk.fresh(wrong=True))
    assert (told.stage, "certificate" in told.why) == ("failed", True)
    assert load.faults == []
    assert {shown for _, _, shown in load.answers} == {desk.main}


def test_a_version_in_the_shadow_is_compared_and_answers_nobody(desk: Desk) -> None:
    old, id = desk.main, desk.fresh()
    rollout = desk.roll("shadow", id)
    assert {desk.said(temperature=more) for more in (0, None, 1.0) for _ in range(3)} == {old}
    found: list[Any] = []

    def compared() -> bool:
        found[:] = desk.state.look(lambda one: shadows_of(one, rollout.id))
        return len(found) == 6  # what is drawn at random cannot be compared

    desk.until(compared)
    assert [one.equal for one in found] == [False] * 6  # the double says its own name
    assert all(one.seconds and one.seconds_before and one.request.startswith("req-") for one in found)
    with pytest.raises(openai.NotFoundError):
        desk.ask(model=f"{NAME}@{desk.shown(id)}")
    assert desk.done(desk.state.change(rollouts.ask_back)).worked


def test_a_name_of_ones_own_leads_to_its_version_whatever_is_deployed(desk: Desk) -> None:
    stable, next_one = desk.fresh(), desk.fresh()
    assert desk.roll("alias", stable, name="stable").stage == "done"
    assert desk.roll("deploy", next_one).worked
    assert desk.said(model=f"{NAME}:stable") == desk.shown(stable)
    assert desk.said() == desk.shown(next_one)
    desk.state.change(lambda one: versions.drop(one, "stable"))
    desk.until(lambda: f"{NAME}:stable" not in [one.id for one in desk.client.models.list().data])


def test_who_asks_for_a_version_that_does_not_start_now_is_told_to_come_again(desks: Callable[..., Desk]) -> None:
    desk = desks()
    broken = record(desk.state, 1, breaks=True)
    desk.state.change(partial(versions.point, name="stable", version=broken))
    desk.start()
    assert desk.said() == desk.main
    with pytest.raises(openai.InternalServerError) as fault:
        desk.ask(model=f"{NAME}:stable")
    assert (fault.value.status_code, fault.value.code) == (503, "engine_down")
    assert fault.value.response.headers["retry-after"] == "10"
    with pytest.raises(openai.NotFoundError):
        desk.ask(model=f"{NAME}:other")


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_a_server_killed_at_any_moment_of_a_deployment_goes_on_with_it(desks: Callable[..., Desk], kills: int) -> None:
    desk = desks(seconds=0.1)
    rng = random.Random(kills)
    expected = version_id(0)
    desk.start()
    for number in range(1, kills + 1):
        record(desk.state, number)
        rollout = desk.state.change(partial(rollouts.ask, kind="deploy", version=version_id(number)))
        time.sleep(rng.random() * 0.5)
        desk.stop()
        assert desk.state.look(versions.aliases)[MAIN] in (expected, version_id(number))
        desk.start()
        assert desk.done(rollout).worked
        expected = version_id(number)
        assert desk.said() == desk.shown(expected)


def test_a_version_that_ends_the_server_is_given_up(desks: Callable[..., Desk]) -> None:
    desk = desks()
    record(desk.state, 1, dies=True)
    rollout = desk.state.change(partial(rollouts.ask, kind="deploy", version=version_id(1)))
    for _ in range(rollouts.MOST_ATTEMPTS):
        desk.start()
        desk.process.wait(30)
        desk.process.communicate()
    desk.start()
    told = desk.done(rollout)
    assert (told.stage, "ended 2 times" in told.why) == ("failed", True)
    assert desk.said() == desk.shown(version_id(0))


def test_a_second_server_of_a_project_follows_the_first_and_takes_over(desk: Desk, tmp_path: Path) -> None:
    other = Desk(desk.folder, desk.state)
    other.start()
    try:
        id = desk.fresh()
        assert desk.roll("deploy", id).worked
        other.until(lambda: other.said() == desk.shown(id))
        assert desk.stop(signal.SIGTERM) == 0
        assert other.roll("deploy", desk.fresh()).worked
        assert other.said() == desk.main
    finally:
        other.stop()
        desk.start()
        desk.said()  # from here on it ends as a server does
