"""Whatever is asked and in whatever order, names lead to versions that are there, and going back goes back."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.versions import CANARY, MAIN, Probe
from tunesmith.errors import InputError

IDS = [f"{number:x}{'0' * 14}{number}" for number in range(1, 5)]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with_versions = open_state(tmp_path)
    for id in IDS:
        with_versions.change(lambda one, id=id: versions.add(one, id, {"id": id}))
    with_versions.change(lambda one: rollouts.record_first(one, IDS[0]))
    yield with_versions
    with_versions.close()


def roll(state: State, kind: str, id: str, **more: object) -> Rollout:
    rollout = state.change(lambda one: rollouts.ask(one, kind, id, **more))  # type: ignore[arg-type]
    return state.change(lambda one: rollouts.carry_out_now(one, rollout.id))


def back(state: State) -> Rollout:
    rollout = state.change(rollouts.ask_back)
    return state.change(lambda one: rollouts.carry_out_now(one, rollout.id))


def main(state: State) -> str:
    return state.look(versions.aliases)[MAIN]


def test_a_version_deployed_twice_is_gone_back_from_to_another(state: State) -> None:
    roll(state, "deploy", IDS[0])
    with pytest.raises(InputError, match="nothing_to_roll_back"):
        back(state)
    roll(state, "deploy", IDS[1])
    roll(state, "deploy", IDS[1])
    assert back(state).version == main(state) == IDS[0]
    with pytest.raises(InputError, match="nothing_to_roll_back"):
        back(state)


def test_going_back_again_goes_further_back(state: State) -> None:
    for id in IDS[1:]:
        roll(state, "deploy", id)
    for id in reversed(IDS[:-1]):
        back(state)
        assert main(state) == id
    with pytest.raises(InputError, match="nothing_to_roll_back"):
        back(state)


def test_going_back_while_one_is_tried_ends_the_trial_alone(state: State) -> None:
    roll(state, "deploy", IDS[1])
    canary = roll(state, "canary", IDS[2], share=0.1)
    assert state.look(versions.aliases)[CANARY] == IDS[2]
    back(state)
    assert state.look(versions.aliases) == {MAIN: IDS[1], CANARY: IDS[1]}
    assert state.look(lambda one: rollouts.get(one, canary.id)).stage == "rolled_back"
    assert state.look(rollouts.routing).canary is None


def test_going_back_before_it_was_switched_gives_it_up(state: State) -> None:
    rollout = state.change(lambda one: rollouts.ask(one, "deploy", IDS[1]))
    assert state.change(lambda one: rollouts.begin(one, rollout.id))
    assert back(state).id == rollout.id
    assert state.change(lambda one: rollouts.switch(one, rollout.id)).stage == "rolled_back"
    assert main(state) == IDS[0]


def test_a_version_is_never_changed(state: State) -> None:
    state.change(lambda one: versions.add(one, IDS[0], {"id": IDS[0]}, {"folder": "a"}, (Probe("row", "hash"),)))
    again = state.change(lambda one: versions.add(one, IDS[0], {"id": "another"}, {"folder": "b"}))
    assert (again.made_of, again.export, again.probes) == ({"id": IDS[0]}, {"folder": "a"}, (Probe("row", "hash"),))
    for change in ("made_of = '{}'", "shown = 'x'", "export = '{}'", "probes = '[]'"):
        with pytest.raises(sqlite3.IntegrityError, match="a version never changes"):
            state.change(lambda one, change=change: one.execute(f"UPDATE versions SET {change}"))


def test_versions_that_begin_alike_go_by_names_of_their_own(state: State) -> None:
    alike = [f"abcd{number}{'0' * 11}" for number in range(3)]
    shown = [state.change(lambda one, id=id: versions.add(one, id, {})).shown for id in alike]
    assert shown == ["abcd", "abcd1", "abcd2"]
    found = [state.look(lambda one, name=name: versions.find(one, f"desk@{name}")) for name in shown]
    assert [one.id for one in found if one] == alike
    state.change(lambda one: versions.add(one, "abcd100000000001", {}))
    with pytest.raises(InputError, match="which_version"):
        state.look(lambda one: versions.find(one, "abcd100"))


def test_a_version_that_was_begun_too_often_is_given_up(state: State) -> None:
    rollout = state.change(lambda one: rollouts.ask(one, "deploy", IDS[1]))
    for _ in range(rollouts.MOST_ATTEMPTS):
        assert state.change(lambda one: rollouts.begin(one, rollout.id))
        state.change(rollouts.resume)  # the server ended, and starts again
    assert not state.change(lambda one: rollouts.begin(one, rollout.id))
    assert state.look(lambda one: rollouts.get(one, rollout.id)).stage == "failed"


def test_a_server_that_ends_as_it_should_counts_as_no_attempt(state: State) -> None:
    rollout = state.change(lambda one: rollouts.ask(one, "deploy", IDS[1]))
    for _ in range(rollouts.MOST_ATTEMPTS + 1):
        assert state.change(lambda one: rollouts.begin(one, rollout.id))
        state.change(rollouts.put_back)
        state.change(rollouts.resume)
    assert state.change(lambda one: rollouts.carry_out_now(one, rollout.id)).worked


STEPS = st.lists(st.tuples(st.sampled_from(["deploy", "canary", "shadow", "alias", "back", "promote", "kill"]),
                           st.sampled_from(IDS)), max_size=12)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_whatever_is_asked_the_names_are_whole(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = open_state(Path(folder))
        for id in IDS:
            state.change(lambda one, id=id: versions.add(one, id, {}))
        state.change(lambda one: rollouts.record_first(one, IDS[0]))
        for kind, id in steps:
            before = main(state)
            try:
                if kind == "back":
                    back(state)
                elif kind == "promote":
                    rollout = state.change(rollouts.ask_promotion)
                    assert state.change(lambda one, at=rollout.id: rollouts.carry_out_now(one, at)).version == main(
                        state
                    )
                elif kind == "kill":
                    rollout = state.change(lambda one, id=id: rollouts.ask(one, "deploy", id))
                    state.change(lambda one, at=rollout.id: rollouts.begin(one, at))
                    state.change(rollouts.resume)
                    assert main(state) == before
                    state.change(rollouts.ask_back)
                else:
                    roll(state, kind, id, share=0.5, name="stable" if kind == "alias" else "")
            except InputError as error:
                refused = error.code
                assert (refused in ("nothing_to_roll_back", "nothing_to_promote"), main(state)) == (True, before)
            found = state.look(rollouts.routing)
            running = [one for one in state.look(rollouts.everything) if one.stage in ("switched", "active")]
            assert len([one for one in running if one.kind in ("canary", "shadow")]) <= 1
            assert len([one for one in running if one.kind in rollouts.MAIN_KINDS]) <= 1
            assert set(found.aliases.values()) <= set(IDS)
            if CANARY in found.aliases:
                assert found.aliases[CANARY] == (found.canary.version if found.canary else found.aliases[MAIN])
        state.close()
