"""Carry out a forgetting: the intent is durable before the first file goes, and whoever comes next finishes it.

Every step can be taken again after a kill in the midst of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tunesmith import decisions, ratings
from tunesmith.artifact import MANIFEST, Store, fsync, make_folder, read_json, sha256_of, write_json
from tunesmith.decisions import Decisions
from tunesmith.deployment import forgetting
from tunesmith.errors import Busy
from tunesmith.forget import log
from tunesmith.products import CERTIFICATE
from tunesmith.tombstones import FOLDER, KEY, PENDING, ROWS, bury, write_key

RECEIPTS = "receipts"


@dataclass(frozen=True)
class Intent:
    """All that carrying out needs, without a text of the rows. Paths are relative to the project.

    ``files`` are the files that hold the rows, with what becomes of them and their sha256 before; ``left`` are
    places in the user's own files, ``models`` the weights that learned a row, ``ratings`` hashes of lines that go,
    ``served`` rows of the server's state.
    """

    when: str
    key: str
    asked: list[str]
    ids: list[str]
    id_hashes: list[str]
    rows: int
    tombstones: list[str]
    removed: list[str]
    rewritten: list[str]
    log_lines: list[int]
    files: list[dict[str, Any]]
    left: list[str]
    models: list[dict[str, str]]
    ratings: list[str] = field(default_factory=list)
    served: list[str] = field(default_factory=list)


def begin(project: Path, intent: Intent) -> None:
    """Make the intent durable. From here on it is carried out, whatever happens to this process."""
    write_key(project, bytes.fromhex(intent.key))
    write_json(project / FOLDER / PENDING, {key: value for key, value in asdict(intent).items() if key != "key"})


def finish(project: Path, store: Store) -> Path | None:
    """Carry out what is pending, and return its receipt; None when nothing is. Call it under the lock."""
    pending = project / FOLDER / PENDING
    if not pending.exists():
        return None
    return carry_out(project, store, Intent(key="", **read_json(pending)))


def finish_after_a_kill(project: Path, store: Store) -> Path | None:
    """The same, where nobody else is at it."""
    try:
        with store.lock():
            return finish(project, store)
    except Busy:
        return None


def carry_out(project: Path, store: Store, intent: Intent) -> Path:
    """Remove what the intent names, and return the receipt."""
    bury(project, intent.tombstones)
    _purge_decisions(project, set(intent.ids))
    if intent.log_lines:
        log.blank(store.root / log.FILE, intent.log_lines)
    for name in intent.rewritten:
        _rewrite_split(project / name, set(intent.ids))
    for name in intent.removed:
        _remove(project / name)
    ratings.remove(
        project / ratings.FILE, intent.ids, intent.ratings
    )  # after its folder, to which no reviewer can add any more
    forgetting.remove(store.root, intent.served)
    receipt = _write_receipt(project, intent)
    for folder in (
        project,
        store.root,
        project / FOLDER,
        receipt.parent,
        *(project / name for name in intent.rewritten),
    ):
        _sweep(folder)
    (project / FOLDER / PENDING).unlink()
    fsync(project / FOLDER)
    return receipt


def _purge_decisions(project: Path, ids: set[str]) -> None:
    for path in (project / decisions.FILE, *kept_decisions(project)):
        known = decisions.read(path)
        if ids & set(known.rows):
            left = {id: one for id, one in known.rows.items() if id not in ids}
            decisions.write(path, Decisions(left, known.rules))


def kept_decisions(project: Path) -> list[Path]:
    """The decisions as they were in earlier rounds."""
    return sorted(project.glob(f".tunesmith/rounds/*/{decisions.FILE}"))


def decided_in(path: Path) -> set[str]:
    """The rows that a file of decisions names."""
    return set(decisions.read(path).rows)


def _rewrite_split(folder: Path, ids: set[str]) -> None:
    """Take the rows out of a split that stays: it knows which rows were ever tested."""
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        for column in ("id", "like"):
            if column in table.column_names:
                table = table.filter(pc.invert(pc.is_in(table[column], value_set=pa.array(sorted(ids), pa.string()))))
        _replace_table(path, table)
    if (folder / CERTIFICATE).exists():
        certificate = read_json(folder / CERTIFICATE)
        certificate["highest"] = [pair for pair in certificate["highest"] if not ids & set(pair["ids"])]
        write_json(folder / CERTIFICATE, certificate)
    manifest = read_json(folder / MANIFEST)
    for name in manifest["files"]:
        path = folder / name
        manifest["files"][name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    write_json(folder / MANIFEST, manifest)


def _sweep(folder: Path) -> None:
    """Remove what a kill left of files that were being written."""
    for name in ("*.json", "*.jsonl", "*.parquet", ROWS, KEY):
        for left in folder.glob(f".{name}.*.tmp"):
            left.unlink()


def _replace_table(path: Path, table: Any) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    pq.write_table(table, temporary, compression="zstd")
    fsync(temporary)
    temporary.replace(path)
    fsync(path.parent)


def _remove(folder: Path) -> None:
    """Remove a folder; its manifest first, so that what is left of it after a kill is no artifact."""
    if not folder.exists():
        return
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)
    fsync(folder.parent)


def _write_receipt(project: Path, intent: Intent) -> Path:
    """Write what was done. Rows are named by keyed hashes: who has the key and an id can tell, nobody else."""
    folder = project / FOLDER / RECEIPTS
    make_folder(folder)
    path = folder / f"{intent.when.replace(':', '-').replace('+00-00', 'Z')}-{intent.asked[0][:8]}.json"
    files = [_with_hash_after(project, entry) for entry in intent.files]
    receipt = {
        "when": intent.when,
        "rows": intent.rows,
        "asked": intent.asked,
        "ids": intent.id_hashes,
        "files": [entry for entry in files if entry["sha256_after"] != entry["sha256_before"]],
        "left": {"in_your_files": intent.left, "models": intent.models},
        "not_reached": ["backups and snapshots", "the history of version control", "copies outside this project"],
    }
    write_json(path, receipt)
    return path


def _with_hash_after(project: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    path = project / entry["path"]
    return {**entry, "sha256_after": sha256_of(path) if path.exists() else None}
