"""Answers that people gave to requests of a served model: in the inbox, and as corrections by its users."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunesmith.deployment import feedback, tickets
from tunesmith.deployment.state import FILE
from tunesmith.deployment.tables import open_state
from tunesmith.example import Message, Source, make_example, messages_to_json
from tunesmith.tool_calls import has_tools

if TYPE_CHECKING:
    from tunesmith.project import Project

#: A bare text goes on without the chat template: what follows it is no answer to a question.
NO_EXAMPLES = "/v1/completions"


def served_answers(project: Project) -> list[dict[str, str]]:
    """Each as a proposed example, oldest first; of several for one request the last counts. Where tools were called
    none is proposed: calls are not learned yet (`collect` sets them aside too).

    ``input`` and ``answer``, ``messages`` where the prompt is more than a user's text, and ``why`` and ``where``.
    """
    if not (project.store.root / FILE).exists():
        return []
    state = open_state(project.store.root)
    try:
        answered = state.look(tickets.examples)
        corrected = state.look(feedback.corrections)
    finally:
        state.close()
    given = [
        (
            one.settled_at or 0.0,
            _example(
                one.messages,
                one.reply or "",
                f"answered by a person in the inbox on {_day(one.settled_at or 0.0)}",
                f"inbox {one.name}",
            ),
        )
        for one in answered
        if one.route != NO_EXAMPLES and not has_tools(one.messages)
    ]
    given += [
        (
            said.at,
            _example(
                said.messages,
                said.correction or "",
                f"corrected by a user of the key {said.key} on {_day(said.at)}",
                f"feedback {said.id} on {said.request}",
            ),
        )
        for said in corrected
        if said.route != NO_EXAMPLES and not has_tools(said.messages)
    ]
    found = {one["messages"] or one["input"]: one for _, one in sorted(given, key=lambda pair: pair[0])}
    return list(found.values())


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def _example(messages: Sequence[Message], answer: str, why: str, where: str) -> dict[str, str]:
    row = make_example([*messages, Message.of("assistant", answer)], Source("served", 1))
    alone = len(messages) == 1
    return {
        "id": "",
        "input": row.input,
        "answer": answer,
        "part": "served",
        "messages": "" if alone else messages_to_json(messages),
        "why": why,
        "where": where,
    }
