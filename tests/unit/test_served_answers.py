"""What people answered at the served model, as proposed examples."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.unit.deployment.people_doubles import exchange
from tests.unit.server.test_tool_fields import CALLED, request
from tunesmith import Project
from tunesmith.deployment import tickets
from tunesmith.deployment.feedback import FeedbackBook, Said
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.tickets import Claim
from tunesmith.pipeline.served_answers import served_answers
from tunesmith.server.conversation import texts_of, turns_of

#: A conversation in which a tool was called, as rules and people see it.
WITH_TOOLS = texts_of(turns_of(request(messages=CALLED).messages))


def test_where_tools_were_called_nothing_is_proposed(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "desk", input="text", output="text")
    state = open_state(project.store.root)
    queue, book = HandOffQueue(state, HandOffSettings()), FeedbackBook(state, FeedbackSettings())

    async def ask() -> None:
        for number, calls in enumerate((False, True, False, True)):
            one = exchange(f"req-{number}", f"Question {number}?", answers=["An answer."])
            if calls:
                one.prompt = WITH_TOOLS
            await book.record(one)
            if number < 2:
                ticket = await queue.take(one, "low_confidence")
                assert ticket is not None
                claim = Claim("sitting", "ana", 2e9, 60)
                assert state.change(lambda told, ticket=ticket, claim=claim: tickets.claimed(told, ticket, claim))
                state.change(
                    lambda told, ticket=ticket, claim=claim: tickets.settle(
                        told, ticket, "answered", "Köln is cold.", claim, example=True
                    )
                )
            else:
                answered = await book.find(one.id, one.key)
                await book.add(answered, Said(one.id, correction="Köln is cold.", messages=one.prompt))

    asyncio.run(ask())
    state.close()
    assert [one["input"] for one in served_answers(project)] == ["Question 2?", "Question 0?"]
