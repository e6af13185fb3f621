"""Which models a key may ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from tunesmith.server.keys import Key
from tunesmith.server.refusal import Refusal
from tunesmith.server.served import Served

#: What follows a model's name: a version, or an alias.
_AFTER_NAME = re.compile("[@:]")


class Finds(Protocol):
    """The part of the registry that is needed here."""

    @property
    def served(self) -> Sequence[Served]: ...

    def find(self, name: str) -> Served: ...


def may_use(key: Key, name: str) -> bool:
    """Whether the key may ask for this name: for a model with all its versions and aliases, or for one of them."""
    allowed = key.limits.models
    if allowed is None or name in allowed:
        return True
    if _AFTER_NAME.split(name, maxsplit=1)[0] in allowed:
        return True
    return any("@" in entry and name.startswith(entry) for entry in allowed)  # the same id, written longer


def find_for(key: Key, registry: Finds, name: str) -> Served:
    """The model of this name. Raises Refusal ``model_not_found``, for one that the key may not use too.

    Whoever may not use a model is not told that there is one.
    """
    if may_use(key, name):
        try:
            return registry.find(name)
        except Refusal as refusal:
            if refusal.code != "model_not_found":
                raise
    names = dict.fromkeys(one.version.name for one in registry.served)
    known = ", ".join(one for one in names if may_use(key, one)) or "none by its bare name"
    what = f"there is no model {name[:100]!r} here for this key; there is {known}"
    raise Refusal(404, "model_not_found", what, param="model")
