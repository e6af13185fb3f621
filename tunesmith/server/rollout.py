"""Carry out rollouts beside the requests: start the new version, check it, switch the names, end the old one.

The state says what is wanted and what the names lead to (`deployment/rollouts.py`); this makes the server follow. One
server of a project leads: it alone begins what is wanted and judges what is tried. Every other follows the names.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, Protocol

from tunesmith.deployment import rollouts, versions
from tunesmith.deployment.deploy_settings import DeploySettings
from tunesmith.deployment.leading import Lead
from tunesmith.deployment.outcomes import Outcomes
from tunesmith.deployment.rollouts import Rollout, Routing
from tunesmith.deployment.state import State
from tunesmith.deployment.versions import CANARY, MAIN, Record
from tunesmith.errors import TunesmithError
from tunesmith.server.judge import Judge
from tunesmith.server.refusal import Refusal
from tunesmith.server.registry import Registry, Routes
from tunesmith.server.served import Served
from tunesmith.server.shadow import Shadowing
from tunesmith.threads import look_through_again, look_through_no_more

#: Seconds between two looks at what is wanted, and between two judgements of what is tried.
LOOK_SECONDS, JUDGE_SECONDS = 0.2, 1.0
#: Seconds after which a version that a follower could not load is tried again.
AGAIN_SECONDS = 30.0

Tell = Callable[[str], None]
log = logging.getLogger("tunesmith.server")


class Maker(Protocol):
    """Makes recorded versions work. ``load`` may take minutes, and runs beside the event loop."""

    def load(self, record: Record, tell: Tell) -> Served: ...

    def check(self, served: Served, record: Record, tell: Tell) -> Awaitable[str | None]:
        """What is wrong with a version that was started, in words; None where all is well."""
        ...


@dataclass
class _Engine:
    """A version that is loaded. ``unneeded_since``: when the last name was taken from it."""

    served: Served
    unneeded_since: float | None = None


class Roller:
    """Of one project. ``loaded``: what was loaded before the server began, by id. ``lead`` may be had already."""

    def __init__(
        self,
        project: str,
        state: State,
        settings: DeploySettings,
        maker: Maker,
        lead: Lead,
        loaded: Mapping[str, Served],
    ) -> None:
        self._project = project
        self._state = state
        self._settings = settings
        self._maker = maker
        self._lead = lead
        self._engines = {id: _Engine(one) for id, one in loaded.items()}
        self._failed: dict[str, float] = {}
        self._outcomes = Outcomes()
        self._judge = Judge(state, settings)
        self._registry: Registry | None = None
        self._work_task: asyncio.Task[None] | None = None
        self._shadowing = Shadowing(state)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._led = False

    async def start(self, registry: Registry) -> None:
        """Start the engines that were loaded, check a version that nobody has served yet, and follow from now on.

        Raises TunesmithError ``deploy_refused`` where that version fails and there is no other to serve.
        """
        self._registry = registry
        registry.watch(self._project, self._outcomes, self._shadowing)
        await asyncio.gather(*(one.served.engine.start() for one in self._engines.values()))
        await self._start_first()
        await self._follow()
        self._work_task = asyncio.create_task(self._work())
        self._shadowing.start()

    async def close(self) -> None:
        """Stop following, and end all engines. What was asked for and not begun stays wanted."""
        if self._work_task is not None:
            self._work_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work_task
        await self._shadowing.close()
        await self._outcomes.flush(self._state)
        if self._led:
            await self._state.write(rollouts.put_back)
        await asyncio.gather(
            *(one.served.engine.close() for one in self._engines.values()), *self._tasks, return_exceptions=True
        )
        self._engines.clear()
        self._lead.let_go()

    async def _start_first(self) -> None:
        """A version was deployed before any server ran: it answers from the beginning, when it passes its check."""
        found = await self._state.read(rollouts.routing)
        if MAIN in found.aliases:
            return
        rollout = await self._state.read(rollouts.wanted)
        known = rollout is not None and rollout.version in self._engines
        if rollout is None or not known or not await self._state.write(lambda one: rollouts.begin(one, rollout.id)):
            what = "the version that was deployed was begun too often, or another was deployed just now"
            raise TunesmithError("deploy_refused", what, self._project, "deploy again: `tunesmith deploy`")
        why = await self._checked(rollout)
        if why is not None:
            await self._fail(rollout, why)
            what = f"{self._name(rollout.version)} is not served: {why}"
            raise TunesmithError("deploy_refused", what, self._project, "deploy another: `tunesmith deploy`")
        await self._state.write(lambda one: _switch_and_activate(one, rollout.id))

    async def _work(self) -> None:
        judged = 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if await asyncio.to_thread(self._lead.take):
                    if not self._led:
                        self._led = True
                        await self._state.write(rollouts.resume)
                    await self._outcomes.flush(self._state)
                    if time.monotonic() - judged >= JUDGE_SECONDS:
                        judged = time.monotonic()
                        await self._judge.look()
                    rollout = await self._state.read(rollouts.wanted)
                    if rollout is not None:
                        await self._carry_out(rollout)
                else:
                    await self._outcomes.flush(self._state)
                await self._follow()
            except Exception as error:  # such as a full disk: what was begun is wanted again when it is over
                log.error("deploy: %s", error.what if isinstance(error, TunesmithError) else type(error).__name__)
                self._led = False
                await asyncio.sleep(AGAIN_SECONDS / 10)

    async def _carry_out(self, rollout: Rollout) -> None:
        """Start the version, check it, switch. Nothing is switched before all of that went well."""
        if not await self._state.write(lambda one: rollouts.begin(one, rollout.id)):
            return
        fresh = rollout.version not in self._engines
        why = await self._started(rollout) if fresh else None
        if why is not None:
            await self._fail(rollout, why)
            return
        await self._state.write(lambda one: rollouts.switch(one, rollout.id))
        await self._follow()
        await self._state.write(lambda one: rollouts.activate(one, rollout.id))

    async def _started(self, rollout: Rollout) -> str | None:
        """Why the version cannot be let to work, in words; None where it is started and right."""
        try:
            await self._load(rollout.version, rollout)
            return await self._checked(rollout)
        except TunesmithError as error:
            return error.what
        except Refusal as error:
            return f"it does not answer: {error.message}"
        except Exception as error:
            log.exception("deploy: a version does not start")
            return f"it does not start: {type(error).__name__}"

    async def _fail(self, rollout: Rollout, why: str) -> None:
        """Nothing was switched: end what was started for it."""
        engine = self._engines.pop(rollout.version, None)
        if engine is not None:
            await engine.served.engine.close()
        await self._state.write(lambda one: rollouts.end(one, rollout.id, "failed", why))

    async def _load(self, id: str, rollout: Rollout | None = None) -> None:
        """Load a version and start its engine beside those that answer."""
        record = await self._state.read(lambda one: versions.get(one, id))
        loop = asyncio.get_running_loop()

        def tell(words: str) -> None:
            loop.call_soon_threadsafe(self._tell, rollout, words)

        served = await asyncio.to_thread(self._maker.load, record, tell)
        try:
            await served.engine.start()
        except BaseException:
            await served.engine.close()
            raise
        self._engines[id] = _Engine(served)
        look_through_no_more()

    async def _checked(self, rollout: Rollout) -> str | None:
        record = await self._state.read(lambda one: versions.get(one, rollout.version))
        served = self._engines[rollout.version].served
        return await self._maker.check(served, record, lambda words: self._tell(rollout, words))

    def _tell(self, rollout: Rollout | None, words: str) -> None:
        """Let whoever waits for it see what is being done."""
        if rollout is not None:
            self._beside(self._state.write(lambda one: rollouts.tell(one, rollout.id, words)))

    def _name(self, id: str) -> str:
        return f"{self._project}@{self._state.look(lambda one: versions.get(one, id)).shown}"

    async def _follow(self) -> None:
        """Let the names lead where the state says, as soon as what they lead to is loaded; then end what is left."""
        found = await self._state.read(rollouts.routing)
        for id in found.needed:
            if id not in self._engines and self._failed.get(id, 0.0) < time.monotonic():
                try:
                    await self._load(id)
                except Exception as error:
                    self._failed[id] = time.monotonic() + AGAIN_SECONDS
                    log.error("deploy: a version does not start: %s", type(error).__name__)
        if found.aliases[MAIN] in self._engines and self._registry is not None:
            self._registry.switch(self._routes(found))
            self._end_unneeded(found)

    def _routes(self, found: Routing) -> Routes:
        """What the state says, as far as it is loaded here."""
        loaded = {id: one.served for id, one in self._engines.items()}
        main = loaded[found.aliases[MAIN]]
        canary, shadow = found.canary, found.shadow
        tried = loaded.get(canary.version) if canary else None
        own = {name: id for name, id in found.aliases.items() if name not in (MAIN, CANARY) and id in loaded}
        named = {name: loaded[id] for name, id in own.items()}
        down = frozenset(name for name in found.aliases if name not in (MAIN, CANARY, *own))
        if CANARY in found.aliases:
            named[CANARY] = tried or main
        return Routes(
            main,
            named,
            tried,
            canary.share if canary else 0.0,
            loaded.get(shadow.version) if shadow else None,
            shadow.id if shadow else 0,
            down,
        )

    def _end_unneeded(self, found: Routing) -> None:
        """Close engines that no name leads to, when they have answered what they were asked."""
        now, warm = time.monotonic(), self._settings.warm_minutes * 60
        for id, engine in list(self._engines.items()):
            if id in found.needed:
                engine.unneeded_since = None
                continue
            engine.unneeded_since = engine.unneeded_since or now
            name = engine.served.version.full_name
            if now - engine.unneeded_since >= warm and self._registry and not self._registry.held(name):
                del self._engines[id]
                self._beside(_close(engine.served.engine.close()))

    def _beside(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something be done that nobody waits for until the end."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _close(closing: Coroutine[Any, Any, None]) -> None:
    await closing
    del closing  # it is the last that knows the engine
    look_through_again()


def _switch_and_activate(connection: Connection, id: int) -> None:
    rollouts.switch(connection, id)
    rollouts.activate(connection, id)
