"""Which model answers to a name."""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.server.access import find_for
from tunesmith.server.call import Call
from tunesmith.server.refusal import Refusal
from tunesmith.server.served import Served
from tunesmith.server.site import Site


class Registry:
    """The models that are served. Whoever answers a request holds its model until the request is over."""

    def __init__(self, served: Sequence[Served]) -> None:
        self._served = list(served)
        self._held: dict[str, int] = {}

    @property
    def home(self) -> Site:
        """Of the first project: what was asked of no model is kept there."""
        return self._served[0].site

    @property
    def sites(self) -> list[Site]:
        """Of all projects."""
        return list({id(one.site): one.site for one in self._served}.values())

    @property
    def served(self) -> list[Served]:
        return list(self._served)

    def find(self, name: str) -> Served:
        """Raises Refusal ``model_not_found``."""
        for one in self._served:
            if one.version.answers_to(name):
                return one
        known = ", ".join(one.version.name for one in self._served)
        raise Refusal(404, "model_not_found", f"there is no model {name[:100]!r} here; there is {known}", param="model")

    def take(self, name: str, call: Call) -> Served:
        """The model that answers this request; it is let go when the request is over. Raises as `find` does."""
        one = find_for(call.key, self, name)
        held = one.version.full_name
        self._held[held] = self._held.get(held, 0) + 1
        call.at_end(lambda: self._let_go(held))
        call.exchange.asked_model, call.exchange.version = name, held
        call.site = one.site
        return one

    def held(self, full_name: str) -> int:
        """Requests that this version answers now."""
        return self._held.get(full_name, 0)

    def _let_go(self, held: str) -> None:
        self._held[held] -= 1
