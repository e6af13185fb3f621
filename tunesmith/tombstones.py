"""Tombstones: what keeps rows that were forgotten out of every later run, without holding what they said.

Layout of ``forgotten/`` in a project::

    key             32 random bytes, for their owner alone; without it no guess at a row can be tested
    rows            one keyed hash a line (HMAC-SHA256, first 32 hex digits) of a row's content
    receipts/       what each `tunesmith clean --forget` removed
    pending.json    a forgetting that is under way; the next command finishes it
    .gitignore      names key and pending.json
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tunesmith.artifact import fsync, make_folder, write_text
from tunesmith.errors import InputError
from tunesmith.example import Example
from tunesmith.similarity.normal_form import fingerprint, normalise

FOLDER, KEY, ROWS, PENDING = "forgotten", "key", "rows", "pending.json"


@dataclass(frozen=True)
class Tombstones:
    """The keyed hashes of the forgotten rows. Rows are the same when they are so after normalisation."""

    key: bytes
    hashes: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def read(cls, project: Path) -> Tombstones | None:
        """Those of a project, None when nothing was forgotten. Raises InputError ``forgotten_key_gone``."""
        folder = project / FOLDER
        try:
            hashes = frozenset((folder / ROWS).read_text(encoding="utf-8").split())
        except FileNotFoundError:
            return None
        try:
            return cls(bytes.fromhex((folder / KEY).read_text(encoding="ascii")), hashes)
        except (FileNotFoundError, ValueError):
            raise InputError(
                "forgotten_key_gone",
                f"{len(hashes)} rows were forgotten in this project, and the key that tells them is gone: "
                "they could come back from the sources",
                str(folder / KEY),
                f"copy {FOLDER}/{KEY} from where the rows were forgotten; or, when you are sure that none of them "
                f"stands in a source any more, delete {folder / ROWS}",
            ) from None

    @classmethod
    def of(cls, project: Path) -> Tombstones:
        """Those of a project, with a key that is new (and not written yet) when nothing was forgotten so far."""
        found = cls.read(project)
        return found if found is not None else cls(read_key(project) or secrets.token_bytes(32))

    def sign(self, *texts: str) -> str:
        """The keyed hash of texts."""
        return hmac.new(self.key, fingerprint(*texts), "sha256").hexdigest()[:32]

    def of_example(self, example: Example) -> str:
        flat: list[str] = []
        for message in example.messages:
            flat.append(message.role)
            for part in message.parts:
                flat += [part.kind, normalise(part.text or ""), part.blob or ""]
        return self.sign("example", *flat, *([] if example.rejected is None else [normalise(example.rejected)]))

    def of_raw(self, raw: str) -> str:
        """Of a row that never became an example."""
        return self.sign("raw", normalise(raw))


def read_key(project: Path) -> bytes | None:
    try:
        return bytes.fromhex((project / FOLDER / KEY).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def write_key(project: Path, key: bytes) -> None:
    """Write the key where only its owner can read it, and keep version control away from it."""
    folder = project / FOLDER
    make_folder(folder)
    if read_key(project) == key:
        return
    write_text(folder / ".gitignore", "".join(f"{name}\n" for name in (KEY, PENDING)))
    temporary = folder / f".{KEY}.{os.getpid()}.tmp"
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / KEY)
    fsync(folder)


def bury(project: Path, hashes: Iterable[str]) -> None:
    """Add the hashes of rows that are forgotten. The key must be there."""
    found = Tombstones.read(project)
    everything = sorted({*(found.hashes if found else ()), *hashes})
    write_text(project / FOLDER / ROWS, "".join(f"{one}\n" for one in everything))
