"""Which version answers to a name. What a name leads to is switched for all at once."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tunesmith.deployment.outcomes import Outcomes, outcome_of
from tunesmith.server.access import find_for
from tunesmith.server.call import Call
from tunesmith.server.refusal import Refusal
from tunesmith.server.served import Served
from tunesmith.server.shadow import Asked, Shadowing
from tunesmith.server.site import Site

#: Seconds after which a client may ask again for a version that does not start.
DOWN_SECONDS = 10.0


@dataclass(frozen=True)
class Routes:
    """The versions of one project that answer now. Never changed, but replaced as a whole.

    ``aliases``: what ``NAME:ALIAS`` leads to. ``canary`` answers a ``share`` of what is asked of the project's
    own name. ``shadow`` answers too, to nobody, as part of ``shadow_rollout``. ``down``: aliases that lead to a version
    which does not start now.
    """

    main: Served
    aliases: Mapping[str, Served] = field(default_factory=dict)
    canary: Served | None = None
    share: float = 0.0
    shadow: Served | None = None
    shadow_rollout: int = 0
    down: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.main.version.name

    @property
    def answering(self) -> list[Served]:
        """Those whose answers clients get, each once, the project's own first."""
        found = [self.main, *([self.canary] if self.canary else []), *self.aliases.values()]
        return list({one.version.id: one for one in found}.values())

    @property
    def loaded(self) -> list[Served]:
        found = [*self.answering, *([self.shadow] if self.shadow else [])]
        return list({one.version.id: one for one in found}.values())

    def names(self) -> dict[str, Served]:
        """What a client may ask for, and what answers (for the project's own name mostly)."""
        named = {self.name: self.main} | {f"{self.name}:{alias}": one for alias, one in sorted(self.aliases.items())}
        return named | {one.version.full_name: one for one in self.answering}


class Registry:
    """The projects that are served. Whoever answers a request holds its version until the request is over.

    ``draw`` gives a random number from 0 to 1 for a request that names no user.
    """

    def __init__(self, routes: Sequence[Served | Routes], draw: Callable[[], float] = random.random) -> None:
        given = [one if isinstance(one, Routes) else Routes(one) for one in routes]
        self._routes = {one.name: one for one in given}
        self._draw = draw
        self._held: dict[str, int] = {}
        self._watched: dict[str, tuple[Outcomes, Shadowing]] = {}

    @property
    def home(self) -> Site:
        """Of the first project: what was asked of no model is kept there."""
        return next(iter(self._routes.values())).main.site

    @property
    def sites(self) -> list[Site]:
        """Of all projects."""
        return [one.main.site for one in self._routes.values()]

    @property
    def served(self) -> list[Served]:
        """Every version that answers clients."""
        return [one for routes in self._routes.values() for one in routes.answering]

    @property
    def loaded(self) -> list[Served]:
        """Every version that is loaded and named."""
        return [one for routes in self._routes.values() for one in routes.loaded]

    @property
    def routes(self) -> list[Routes]:
        return list(self._routes.values())

    def of(self, project: str) -> Routes:
        return self._routes[project]

    def switch(self, routes: Routes) -> None:
        """Let the names of a project lead to other versions, from the next request on."""
        self._routes[routes.name] = routes

    def watch(self, project: str, outcomes: Outcomes, shadowing: Shadowing) -> None:
        """Let what comes of the requests of a project be noted, and be asked again of a version in the shadow."""
        self._watched[project] = outcomes, shadowing

    def find(self, name: str) -> Served:
        """The version that a name leads to.

        Raises Refusal ``model_not_found``, or ``engine_down`` where that version does not start now.
        """
        project, alias, id = _parts(name)
        routes = self._routes.get(project)
        if routes is not None and not id:
            found = routes.main if alias is None else routes.aliases.get(alias)
            if found is not None:
                return found
            if alias in routes.down:
                what = f"{name} leads to a version that does not start; it is tried again"
                raise Refusal(503, "engine_down", what, param="model", retry_after=DOWN_SECONDS)
        elif routes is not None:
            exact = [one for one in routes.answering if one.version.full_name == name]
            meant = exact or [one for one in routes.answering if one.version.answers_to(name)]
            if len(meant) == 1:
                return meant[0]
        known = ", ".join(one for routes in self._routes.values() for one in routes.names())
        raise Refusal(404, "model_not_found", f"there is no model {name[:100]!r} here; there is {known}", param="model")

    def take(self, name: str, call: Call, user: str | None = None) -> Served:
        """The version that answers this request; it is let go when the request is over. Raises as `find` does.

        Of what is asked of a project's own name a share goes to its canary: that of a ``user`` always to the same
        version, others at random.
        """
        one = find_for(call.key, self, name)
        routes = self._routes[one.version.name]
        if name == routes.name and routes.canary is not None and self._drawn(routes, call, user) < routes.share:
            one = routes.canary
        self._hold(one)
        call.exchange.asked_model, call.exchange.version = name, one.version.full_name
        call.site = one.site
        call.at_end(lambda: self._over(one, call, user))
        return one

    def _drawn(self, routes: Routes, call: Call, user: str | None) -> float:
        """From 0 to 1. A user who is in at a small share stays in at a larger one."""
        if user is None or routes.canary is None:
            return self._draw()
        told = f"{routes.canary.version.id}\0{call.key.name}\0{user}"
        return int.from_bytes(hashlib.sha256(told.encode("utf-8", "replace")).digest()[:8], "big") / 2**64

    def _hold(self, one: Served) -> None:
        name = one.version.full_name
        self._held[name] = self.held(name) + 1

    def held(self, full_name: str) -> int:
        """Requests that this version answers now."""
        return self._held.get(full_name, 0)

    def _let_go(self, one: Served) -> None:
        name = one.version.full_name
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]  # of a hundred versions that were served one is

    def _over(self, one: Served, call: Call, user: str | None) -> None:
        self._let_go(one)
        if one.version.name in self._watched:
            self._watched[one.version.name][0].add(outcome_of(call.exchange, one.version.id, user))

    def mirror(self, one: Served, call: Call, ask: Callable[[Any, Call], Awaitable[Any]]) -> None:
        """When the request is over and well, let the version in the shadow answer it too; nobody gets that answer."""
        routes = self._routes[one.version.name]
        if routes.shadow is None or one is not routes.main or one.version.name not in self._watched:
            return
        shadow, rollout = routes.shadow, routes.shadow_rollout
        shadowing = self._watched[one.version.name][1]

        def put() -> None:
            if call.exchange.status == 200 and call.exchange.error is None and call.exchange.answers:
                self._hold(shadow)
                shadowing.put(Asked(rollout, one, shadow, call, ask, lambda: self._let_go(shadow)))

        call.at_end(put)


def _parts(name: str) -> tuple[str, str | None, str]:
    """Project, alias and id of a name: ``support-desk``, ``support-desk:canary``, ``support-desk@3f2a``."""
    project, _, id = name.partition("@")
    project, colon, alias = project.partition(":")
    return project, alias if colon else None, id
