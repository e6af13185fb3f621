"""A person at the inbox, and an owner who deploys, while the server is killed: each action is a command of its own."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import openai

from tests.unit.server.accepted import after
from tests.unit.server.kill_load import CUT_OFF, PAUSE, SOON, STABLE, Load
from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.people_settings import HandOffSettings
from tunesmith.deployment.rollouts import Rollout
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.tickets import Filter
from tunesmith.deployment.versions import CANARY, MAIN
from tunesmith.errors import InputError
from tunesmith.inbox import Inbox
from tunesmith.products import GoalSheet

#: What the owner wishes, as often as it stands here.
WISHES = ("deploy", "deploy", "canary", "canary", "promote", "promote", "rollback", "alias")


def version_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def record(state: State, number: int) -> str:
    """Record another version."""
    made_of = {"artifacts": {}, "made_at": 0.0, "number": number}
    return state.change(lambda one: versions.add(one, version_id(number), made_of)).id


def settle_on_and_on(load: Load, rng: random.Random) -> None:
    """Answer or decline who waits longest."""
    goal = GoalSheet("text", "text", "Be kind.")
    while not load.over.is_set():
        time.sleep(rng.uniform(0, 0.1))
        with closing(open_state(load.folder)) as state:
            inbox = Inbox(state, goal, HandOffSettings(), "ana")  # type: ignore[call-arg]
            ticket = inbox.next(Filter())
            if ticket is None:
                continue
            if rng.random() < 0.2:
                settled = inbox.decline(ticket, "not our shop")
            else:
                settled = inbox.answer(ticket, f"It is on its way, {ticket.name[:4]}.")
            load.told.replies[ticket.ticket] = settled.status, str(settled.reply)
            load.counts["tickets settled"] += 1


def deploy_on_and_on(load: Load, rng: random.Random) -> None:
    """Wish, wait, and see that what was switched answers."""
    with load.client() as client:
        while not load.over.is_set():
            try:
                rollout = _wish(load, rng)
            except InputError:  # nothing is tried, or there is nothing to go back to
                continue
            rollout = _carried_out(load, rollout)
            if rollout.over:
                load.counts[f"{rollout.kind} {'worked' if rollout.worked else f'given up: {rollout.why}'}"] += 1
                _ask_by_name(load, client, rollout)


@contextmanager
def _names_of(load: Load) -> Iterator[tuple[Any, State]]:
    """What the names lead to, as nobody else looks at it, and the state."""
    with load.told.names.lock, closing(open_state(load.folder)) as state:
        yield load.told.names, state


def _wish(load: Load, rng: random.Random) -> Rollout:
    """Ask for what a command would, and note what the names may lead to from then on."""
    kind: Any = rng.choice(WISHES)
    with _names_of(load) as (names, state):
        known = [one.id for one in state.look(versions.everything)]
        if kind == "rollback":
            rollout = state.change(rollouts.ask_back)
        elif kind == "promote":
            rollout = state.change(rollouts.ask_promotion)
        elif kind == "alias":
            version = rng.choice([one for one in known if one != names.now[STABLE]] or known)
            rollout = state.change(partial(rollouts.ask, kind=kind, version=version, name=STABLE))
        else:
            others = [record(state, len(known))] if load.doubles else [one for one in known if one != names.now[MAIN]]
            rollout = state.change(partial(rollouts.ask, kind=kind, version=rng.choice(others), share=0.5))
        names.wished = after(names.now, rollout.kind, rollout.name, rollout.version)
        names.rollouts.add(rollout.id)
    return rollout


def _carried_out(load: Load, rollout: Rollout) -> Rollout:
    """Wait as the command does; when it is over, the names are what they were or what was wished, for good."""
    ends = time.monotonic() + SOON
    while not rollout.over:
        assert time.monotonic() < ends, rollout
        if load.over.is_set():
            return rollout
        time.sleep(0.05)
        with closing(open_state(load.folder)) as state:
            rollout = state.look(partial(rollouts.get, id=rollout.id))
    with _names_of(load) as (names, _):
        names.now = names.wished if rollout.worked else names.now
        names.wished = None
    return rollout


def _ask_by_name(load: Load, client: openai.OpenAI, rollout: Rollout) -> None:
    """Ask by the name that was switched, until an answer comes, however often the server is killed before."""
    alias = {"alias": STABLE, "canary": CANARY}.get(rollout.kind, MAIN)
    with _names_of(load) as (names, state):
        trial = state.look(rollouts.routing).canary
        if alias not in names.now or (alias == MAIN and trial is not None):
            return  # it was given up, and nothing leads there; or the canary answers too
        expected = f"{load.name}@{state.look(partial(versions.get, id=names.now[alias])).shown}"
    asked: Any = {
        "model": f"{load.name}:{alias}" if alias else load.name,
        "messages": [{"role": "user", "content": "which parcel"}],
    }
    while not load.over.is_set():
        try:
            answer = client.chat.completions.create(**asked)
        except (*CUT_OFF, openai.InternalServerError):
            time.sleep(PAUSE)
            continue
        load.counts["switches seen"] += 1
        if answer.model != expected:
            load.faults.append(f"{asked['model']} is {answer.model}, and was switched to {expected}")
        return
