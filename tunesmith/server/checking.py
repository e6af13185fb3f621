"""Let a version that was just started prove that it answers as its certificate says, before anybody else asks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from tunesmith.artifact import hash_of
from tunesmith.deployment.versions import Record
from tunesmith.engines.upstream_chat import messages_of
from tunesmith.example import Example, Message
from tunesmith.generation import Sampling
from tunesmith.products import CleanSet
from tunesmith.project import Project
from tunesmith.server.served import Served, ServedChat, ServedText
from tunesmith.server.upstream import Proven

#: Seconds that the check may take: a large model on a busy machine is slow, one that hangs is not let to work.
CHECK_SECONDS = 600.0

Tell = Callable[[str], None]


async def check(project: Project, served: Served, record: Record, tell: Tell) -> str | None:
    """Ask the rows whose answers are known. Returns what is wrong in words, None where all is well.

    Rows that were forgotten since are left out; without any the model must at least write.
    """
    if isinstance(served.engine, Proven):  # it asks them itself, each time that the upstream was gone
        return await served.engine.prove()
    return await check_engine(project, served, record, tell)


async def check_engine(project: Project, served: Served, record: Record, tell: Tell) -> str | None:
    """Ask the engine itself."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await _check(project, served, record, tell)
    except TimeoutError:
        return f"it did not answer within {CHECK_SECONDS:g} s"


async def _check(project: Project, served: Served, record: Record, tell: Tell) -> str | None:
    if not await served.engine.works():
        return "no answer comes from it"
    expected = {one.id: one.answer for one in record.probes}
    rows = await asyncio.to_thread(_rows, project, record, set(expected))
    other = []
    for number, row in enumerate(rows):
        tell(f"checking the answer to row {number + 1} of {len(rows)}")
        if await _answer(served, row) != expected[row.id]:
            other.append(row.id)
    if other:
        return f"{len(other)} of {len(rows)} answers are not those of its certificate: rows {', '.join(other)}"
    return None


def _rows(project: Project, record: Record, ids: set[str]) -> list[Example]:
    clean = project.store.find("clean", record.made_of["artifacts"].get("clean", ""))
    return list(CleanSet.open(clean).examples(ids)) if clean is not None and ids else []


async def _answer(served: Served, row: Example) -> str:
    """What an answer is known by; see `export.certificate.answer_hash`."""
    if isinstance(served, ServedText):
        return await _tokens(served, row)
    if isinstance(served, ServedChat):
        return await _text(served, row)
    [scored] = await served.engine.score([served.engine.labeller.tokens(row.prompt)])
    labels = served.version.goal.labels
    return hash_of(labels[max(range(len(labels)), key=lambda index: scored.probabilities[index])])


async def _text(served: ServedChat, row: Example) -> str:
    parts = []
    asked = {"max_tokens": served.version.max_new_tokens, "temperature": 0}
    messages = messages_of(served.version.goal.system, row.prompt)
    async with aclosing(served.engine.write(messages, asked)) as written:  # type: ignore[type-var]
        async for piece in written:
            parts.append(piece.text)
    return hash_of("".join(parts).strip())


async def _tokens(served: ServedText, row: Example) -> str:
    prompt = row.prompt
    goal = served.version.goal
    asked_otherwise = served.version.setup is not None and prompt[0].role != "system" and goal.system
    if asked_otherwise:  # the certificate is about the goal's own prompt
        prompt = (Message.of("system", goal.system), *prompt)
    tokens = []
    asked = served.codec.of_messages(prompt)
    async with aclosing(served.engine.write(asked, Sampling(served.version.max_new_tokens))) as written:  # type: ignore[type-var]
        async for token in written:
            if not token.is_end:
                tokens.append(token.id)
    return hash_of(tokens)
