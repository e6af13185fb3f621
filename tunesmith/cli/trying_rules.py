"""`tunesmith serve --try-rules TEXT`: what a project's rules do with a text, without a server or a model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tunesmith.errors import InputError

if TYPE_CHECKING:
    from tunesmith.cli.screen import Screen
    from tunesmith.deployment.exchange import Exchange
    from tunesmith.deployment.guard import Guard, Task
    from tunesmith.project import Project


def try_rules(project: Project, text: str) -> int:
    """Show what the model would see of the text as a question, and a client of it as an answer.

    Raises InputError ``no_rules``, and for rules that cannot be kept.
    """
    from tunesmith.cli.screen import Screen
    from tunesmith.server.guarding import open_guard

    if not project.settings.serve.rules:
        fix = "write some below `serve:`, as docs/rules.md shows"
        raise InputError("no_rules", "this project has no rules", f"{project.file}: serve.rules", fix)
    screen = Screen()
    guard = open_guard(project, screen.say)
    asyncio.run(_try(screen, guard, _task(project), text))
    return 0


def _task(project: Project) -> Task:
    """What an answer to the project's goal is held against, as far as that was made."""
    from tunesmith.deployment.guard import Task

    if project.store.latest("goal") is None:
        return Task()
    goal = project.product("goal")
    return Task(goal, goal.schema, (goal.system,))


async def _try(screen: Screen, guard: Guard, task: Task, text: str) -> None:
    from tunesmith.deployment.exchange import Exchange
    from tunesmith.deployment.guard import Stopped
    from tunesmith.example import Message

    asked = Exchange("", "", "", prompt=(Message.of("user", text),))
    try:
        [seen] = await guard.before(asked.prompt, asked)
        _show(screen, "As a question", "the model would see", seen.text, asked)
    except Stopped as stopped:
        asked.actions.append(stopped.action)
        _show(screen, "As a question", "the model would not be asked, and the client get", stopped.text, asked)
    answered = Exchange("", "", "")
    window = guard.around(answered, task)
    left = window.add(text)
    left += "" if window.stopped else await window.end()
    if window.stopped is not None:
        answered.actions.append(window.stopped.action)
        left = window.stopped.text
    _show(screen, "As an answer", "the client would get", left, answered)


def _show(screen: Screen, what: str, who: str, text: str, exchange: Exchange) -> None:
    acts = ", ".join(f"{action.rule} ({action.did.replace('_', ' ')})" for action in exchange.actions)
    screen.say(f"{what}: {acts or 'no rule acts'}; {who}")
    screen.console.file.write("".join(f"    {line}\n" for line in text.splitlines() or [""]))
