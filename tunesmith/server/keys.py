"""Keys: shown once, kept as hashes in a file that only its owner can read, each with limits of its own."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tunesmith.artifact import fsync, make_folder, one_at_a_time, read_json
from tunesmith.errors import InputError

FILE = "keys.json"
#: Keys begin so, that scanners for leaked secrets and people know them.
PREFIX = "tunesmith-"


@dataclass(frozen=True)
class Limits:
    """What one key may ask for; None: no limit. Tokens are those of the prompt and of the answer together.

    ``models``: names (``support-desk``, with all its versions) or versions (``support-desk@3f2a``).
    """

    requests_a_minute: int | None = None
    at_once: int = 64
    tokens_a_request: int | None = None
    tokens_a_minute: int | None = None
    models: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Key:
    """``sha256`` of the key itself, which is 256 random bits and so needs no salt."""

    name: str
    sha256: str
    made_at: float
    limits: Limits = field(default_factory=Limits)


class Keys:
    """The keys in a file. What another process changes in it counts at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._by_hash: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Raises InputError ``damaged_keys``."""
        if not self.path.exists():
            return []
        try:
            entries = read_json(self.path)["keys"]
            return [Key(**{**entry, "limits": _limits(entry["limits"])}) for entry in entries]
        except (InputError, KeyError, TypeError) as error:
            what = "the file of keys is damaged: it is not what `tunesmith serve` writes"
            fix = "delete it; `tunesmith serve` makes a new key, and the old ones end"
            raise InputError("damaged_keys", what, str(self.path), fix) from error

    def make(self, name: str, limits: Limits) -> str:
        """Make a key and return it: this is the only time that it is known. Raises InputError ``key_exists``."""
        make_folder(self.path.parent)
        with one_at_a_time(self.path.parent):
            known = self.all()
            if any(key.name == name for key in known):
                fix = f"choose another name, or end it first: tunesmith serve --revoke {name}"
                raise InputError("key_exists", f"there is a key named {name!r} already", str(self.path), fix)
            secret = PREFIX + secrets.token_urlsafe(32)
            self._write([*known, Key(name, _sha256(secret), time.time(), limits)])
        return secret

    def revoke(self, name: str) -> None:
        """End a key. Raises InputError ``unknown_key_name``."""
        if not self.path.exists():
            raise InputError("unknown_key_name", f"there is no key named {name!r}", str(self.path), "keys: none")
        with one_at_a_time(self.path.parent):
            known = self.all()
            left = [key for key in known if key.name != name]
            if len(left) == len(known):
                names = ", ".join(key.name for key in known) or "none"
                raise InputError(
                    "unknown_key_name", f"there is no key named {name!r}", str(self.path), f"keys: {names}"
                )
            self._write(left)

    def holder_of(self, secret: str) -> Key | None:
        """The key that this is, or None."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        seen = status.st_mtime_ns, status.st_ino
        if seen != self._seen:
            self._by_hash = {key.sha256: key for key in self.all()}
            self._seen = seen
        return self._by_hash.get(_sha256(secret))

    def _write(self, keys: Sequence[Key]) -> None:
        """Whole or not at all, and never readable for others, not even while it is written."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        text = json.dumps({"version": 1, "keys": [asdict(key) for key in keys]}, indent=1)
        handle = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                error.filename, error.filename2 = str(self.path), None  # what a user is told of
            raise
        fsync(self.path.parent)


def _limits(told: dict[str, Any]) -> Limits:
    """Limits as they stand in the file; what an earlier version did not know is not limited."""
    models = told.get("models")
    return Limits(**{**told, "models": None if models is None else tuple(models)})


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
