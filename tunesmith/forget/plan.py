"""What a forgetting will do: which files go, which are rewritten, and what it cannot reach. Nothing is changed here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith import ratings
from tunesmith.answering.cache import FOLDER as ANSWERS
from tunesmith.artifact import MANIFEST, Store, sha256_of
from tunesmith.decisions import FILE as DECISIONS
from tunesmith.deployment import forgetting
from tunesmith.deployment.forgetting import Held
from tunesmith.deployment.profile import FOLDER as PROFILES
from tunesmith.deployment.state import FILE as STATE
from tunesmith.errors import InputError
from tunesmith.example_parquet import read_rows
from tunesmith.forget import log
from tunesmith.forget.carry_out import Intent, begin, carry_out, decided_in, finish, kept_decisions
from tunesmith.forget.find import Rows, Wanted, find_rows, ids_in
from tunesmith.ratings import Said
from tunesmith.retrieval.index import FOLDER as KNOWLEDGE
from tunesmith.similarity.normal_form import normalise
from tunesmith.tombstones import FOLDER, Tombstones

if TYPE_CHECKING:
    from tunesmith.project import Project

#: Largest file of the user's own that is searched for a named text.
_SEARCHED_BYTES = 256 * 2**20

#: Where the exports of versions that were served lie.
KEPT = ".tunesmith/serve/exports"


@dataclass(frozen=True)
class Plan:
    """``rows`` are to be forgotten; ``places`` of them still stand in the user's own files, ``models`` learned them."""

    project: Path
    store: Store
    rows: int
    places: list[str]
    models: list[str]
    intent: Intent

    @property
    def files(self) -> int:
        """How many files hold the rows, and are removed or rewritten."""
        return len(self.intent.files)

    def carry_out(self) -> Path:
        """Remove the rows; returns the receipt. What is begun is finished by the next command if this one is killed."""
        begin(self.project, self.intent)
        return carry_out(self.project, self.store, self.intent)


@contextmanager
def planning(project: Project, words: Sequence[str]) -> Iterator[Plan]:
    """Look for the rows and for all that holds them, under the lock."""
    with project.store.lock():
        finish(project.root, project.store)
        tombstones = Tombstones.of(project.root)
        decisions = project.decisions()
        said = ratings.said(project.root / ratings.FILE)
        held = forgetting.held(project.store.root)
        others = [Said("", one.id, one.texts) for one in held]
        rows, wanted = find_rows(project.store, words, decisions, tombstones, [*said, *others])
        about = [line.hash for line in said if line.id in rows.ids or any(map(wanted.in_text, line.texts))]
        served = [one.id for one in held if _is_about(one, rows, wanted)]
        yield _plan(project, words, rows, wanted, tombstones, set(decisions.rows), about, served)


def _is_about(held: Held, rows: Rows, wanted: Wanted) -> bool:
    """Whether a request that was served is named, holds a named text, or asks what a row that goes says."""
    return any(map(wanted.in_text, held.texts)) or (bool(held.asked) and normalise(held.asked) in rows.texts)


def _plan(
    project: Project,
    words: Sequence[str],
    rows: Rows,
    wanted: Wanted,
    tombstones: Tombstones,
    decided: set[str],
    said: list[str],
    served: list[str],
) -> Plan:
    store, root = project.store, project.root
    removed, rewritten, models = _holders(store, rows, wanted)
    models += _exports_of(models, root)
    files = [*_files_of(removed, root, "removed"), *_files_of(rewritten, root, "rewritten")]
    files += [_entry(path, root, "rewritten") for path in kept_decisions(root) if rows.ids & decided_in(path)]
    touched = {DECISIONS: rows.ids & decided, ratings.FILE: said}
    files += [_entry(root / name, root, "rewritten") for name, about in touched.items() if about]
    if served:
        files.append(_entry(store.root / STATE, root, "rewritten"))
    lines = log.lines_about(store.root / log.FILE, rows, wanted)
    if lines:
        files.append(_entry(store.root / log.FILE, root, "rewritten"))
    left = [*_sources(rows, root), *_own_files(root, wanted)]
    now = datetime.now(UTC)
    intent = Intent(
        when=now.isoformat(timespec="seconds"),
        key=tombstones.key.hex(),
        asked=sorted(tombstones.sign("asked", word) for word in words),
        ids=sorted(rows.ids),
        id_hashes=sorted(tombstones.sign("id", id) for id in rows.ids),
        rows=len(rows),
        tombstones=sorted(rows.tombstones),
        removed=[str(path.relative_to(root)) for path in removed],
        rewritten=[str(path.relative_to(root)) for path in rewritten],
        log_lines=lines,
        ratings=said,
        served=served,
        files=files,
        left=list(dict.fromkeys(left)),
        models=[{"path": str(path.relative_to(root)), **_weights(path)} for path in models],
    )
    return Plan(root, store, len(rows), intent.left, [model["path"] for model in intent.models], intent)


def _holders(store: Store, rows: Rows, wanted: Wanted) -> tuple[list[Path], list[Path], list[Path]]:
    """The folders to remove, the splits to rewrite, and the trained models that learned a row.

    Half-made work is removed whole: what it was made from is stale. So is an artifact that cannot be read.
    """
    removed, rewritten, models = set(rows.folders), [], []
    cleaned = {folder.name for folder in store.artifacts.glob("clean-*")} - {folder.name for folder in removed}
    for folder in sorted(store.artifacts.glob("*-*")):
        stage = folder.name.rpartition("-")[0]
        made_by = _made_by(folder)
        if folder in removed:
            continue
        if stage == "train":
            if made_by is None or _learned(folder, rows) or _says(folder, wanted):
                models.append(folder)
        elif made_by is None:
            removed.add(folder)
        elif stage == "split":
            if _ids_of(folder) & rows.ids:
                rewritten.append(folder)
        elif (
            _ids_of(folder) & rows.ids
            or (stage == "test" and f"clean-{made_by['inputs'].get('clean')}" not in cleaned)
            or (stage == "base" and _is_fresh(folder))
            or _says(folder, wanted)
        ):
            removed.add(folder)
    removed.update(folder for folder in store.work.glob("*"))
    # Caches: what models said, to the forgotten rows too; the documents' text, where a row may stand; figures of rows.
    removed.update(store.root / cache for cache in (ANSWERS, KNOWLEDGE, PROFILES) if (store.root / cache).exists())
    return sorted(removed), rewritten, models


def _exports_of(models: Sequence[Path], root: Path) -> list[Path]:
    """The folders that these models were exported to in the project."""
    names = {model.name for model in models}
    return [
        path.parent
        for path in sorted([*root.glob("exports/*/certificate.json"), *root.glob(f"{KEPT}/*/certificate.json")])
        if json.loads(path.read_text(encoding="utf-8")).get("model") in names
    ]


def _made_by(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["made_by"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("inputs"), dict) else None


def _ids_of(folder: Path) -> set[str]:
    return {id for path in folder.glob("*.parquet") for column in ("id", "like") for id in ids_in(path, column)}


def _learned(folder: Path, rows: Rows) -> bool:
    """Whether the ledger of a training names a row; one without a ledger may have."""
    ledger = folder / "examples.parquet"
    return not ledger.exists() or bool(set(ids_in(ledger)) & rows.ids)


def _is_fresh(folder: Path) -> bool:
    """Whether it is a base from scratch: its tokenizer is made of the user's text."""
    try:
        return bool(json.loads((folder / "base.json").read_text(encoding="utf-8")).get("from_scratch"))
    except (OSError, ValueError):
        return True


def _says(folder: Path, wanted: Wanted) -> bool:
    """Whether a named text stands in an artifact that holds no rows: an answer of a model, a label."""
    if not wanted.values:
        return False
    for path in (path for path in folder.rglob("*") if path.stem not in ("tokenizer", "vocab")):
        if path.suffix in (".json", ".md", ".html") and wanted.in_text(path.read_text("utf-8", "replace")):
            return True
        if path.suffix == ".parquet":
            try:
                if any(wanted.in_text(json.dumps(row, ensure_ascii=False, default=str)) for row in read_rows(path)):
                    return True
            except InputError:
                return True
    return False


def _files_of(folders: list[Path], root: Path, action: str) -> Iterator[dict[str, Any]]:
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            if action == "removed" or path.suffix in (".parquet", ".json"):
                yield _entry(path, root, action)


def _entry(path: Path, root: Path, action: str) -> dict[str, Any]:
    return {"path": str(path.relative_to(root)), "action": action, "sha256_before": sha256_of(path)}


def _weights(folder: Path) -> dict[str, str]:
    """The sha256 of the weights, by file."""
    exported = (path for path in folder.glob("*") if path.suffix in (".gguf", ".onnx", ".safetensors"))
    weights = [*(folder / "model").glob("*.safetensors"), *exported]
    return {f"sha256 of {path.name}": sha256_of(path) for path in sorted(weights)}


def _sources(rows: Rows, root: Path) -> list[str]:
    """The rows' places in the user's own files, as far as these are there.

    The line is sure where the file is as it was collected.
    """
    known: dict[Path, dict[str, str]] = {}
    told = []
    for (uri, row), folder in sorted(rows.places.items()):
        path = root / uri
        if not path.is_file():
            continue
        if folder not in known:
            known[folder] = _hashes(folder)
        same = known[folder].get(uri) == _sha256(path)
        told.append(f"{uri}:{row}" + ("" if same else " (the file has changed since: look for it there)"))
    return told


def _hashes(folder: Path) -> dict[str, str]:
    try:
        entries = json.loads((folder / "sources.json").read_text(encoding="utf-8"))
        return {entry["path"]: entry["sha256"] for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _own_files(root: Path, wanted: Wanted) -> Iterator[str]:
    """Lines of the user's other files in the project that hold a named text."""
    if not wanted.values:
        return
    for path in sorted(root.rglob("*")):
        first = path.relative_to(root).parts[0]
        if first in (".tunesmith", ".git", FOLDER, DECISIONS, ratings.FILE) or not path.is_file():
            continue
        if path.stat().st_size <= _SEARCHED_BYTES:
            with path.open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if wanted.in_text(line):
                        yield f"{path.relative_to(root)}:{number}"
