"""The people around a project's models: its queue of hand-offs and its book of feedback, by its settings."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tunesmith.deployment.feedback import FeedbackBook
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.people import Mask, NobodyThere, as_it_came
from tunesmith.deployment.state import State
from tunesmith.example import Message, Source, make_example
from tunesmith.products import GoalSheet
from tunesmith.project import Project
from tunesmith.project_file import ProjectSettings


def hand_offs_of(project: Project, state: State) -> HandOffQueue | NobodyThere:
    """The queue that `tunesmith inbox` works."""
    settings = project.settings
    own = settings.serve.hand_off
    if own == "off":
        return NobodyThere()
    return HandOffQueue(state, own, _mask(project, settings) if own.private == "mask" else as_it_came)


def feedback_of(project: Project, state: State) -> FeedbackBook | None:
    """Where what users say of answers is kept; None where it is off."""
    settings = project.settings
    own = settings.serve.feedback
    if own == "off":
        return None
    return FeedbackBook(state, own, _mask(project, settings) if own.private == "mask" else as_it_came)


def _mask(project: Project, settings: ProjectSettings) -> Mask:
    """What `clean` does with private data, but that nothing is faked: a person must see that something stood there."""
    from tunesmith.stages.clean.private_data import PrivateData

    goal: GoalSheet = project.product("goal")
    private = settings.clean.private
    seen = private.model_copy(update={kind: "mask" for kind, choice in private.choices.items() if choice != "keep"})
    step = PrivateData(goal, settings.clean.model_copy(update={"private": seen}), settings.seed)
    one_at_a_time = threading.Lock()

    def mask(messages: Sequence[Message]) -> tuple[Message, ...]:
        with one_at_a_time:
            return step.mask(make_example(messages, Source("request", 1))).example.messages

    return mask
