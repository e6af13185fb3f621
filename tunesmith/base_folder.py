"""A base on disk: a folder in Hugging Face form, with a record of what its files must be.

``tunesmith-base.json`` lies in each cached base and holds the sha256 and size of every other file.
What loads a base calls `verify` first: sizes always, hashes where the time is well spent.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from tunesmith.artifact import fsync, sha256_of, write_json
from tunesmith.errors import InputError

RECORD = "tunesmith-base.json"
REFETCH = "run `tunesmith base --refetch`"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer.model", "spiece.model", "vocab.json")
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def write_record(folder: Path, facts: Mapping[str, Any]) -> None:
    """Hash and fsync every file of the folder and write the record beside them."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD):
        files[path.relative_to(folder).as_posix()] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        fsync(path)
    write_json(folder / RECORD, {"version": 1, **facts, "files": files})
    for inner in sorted({path.parent for path in folder.rglob("*")}, reverse=True):
        fsync(inner)


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a cached base. Raises InputError when it is gone or not readable."""
    path = folder / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not all(set(entry) == {"sha256", "bytes"} for entry in record["files"].values()):
            raise ValueError("an entry without its sha256 and size")
    except FileNotFoundError as error:
        raise _corrupted(path, "a recorded base", "no such file") from error
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise _corrupted(path, "a readable record", str(error)) from error
    return record


def verify(folder: Path, full: bool = False) -> None:
    """Check a base before it is loaded: every recorded file is there with its size and, if ``full``, its sha256.

    A user's own folder has no record; there only its form is checked. Raises InputError
    ``base_gone`` or ``corrupted_base``.
    """
    if not folder.is_dir():
        raise InputError(
            "base_gone", "the base that this project was made with is no longer there", str(folder), REFETCH
        )
    if not (folder / RECORD).exists() and (folder / "config.json").exists():
        check_form(folder)
        return
    for name, expected in read_record(folder)["files"].items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found is None:
            raise _corrupted(path, f"{expected['bytes']:,} bytes", "no such file")
        if found != expected["bytes"]:
            raise _corrupted(path, f"{expected['bytes']:,} bytes", f"{found:,} bytes")
        if full and (digest := sha256_of(path)) != expected["sha256"]:
            raise _corrupted(path, f"sha256 {expected['sha256']}", f"sha256 {digest}")


def _corrupted(path: Path, expected: str, found: str) -> InputError:
    what = f"the cached base is damaged: expected {expected}, found {found}"
    return InputError("corrupted_base", what, str(path), REFETCH)


def check_form(folder: Path) -> None:
    """Refuse a folder that is not a model in Hugging Face form with safetensors weights."""
    if not folder.is_dir():
        raise InputError("no_such_base", "there is no such folder", str(folder), "name a folder with a model in it")
    if not (folder / "config.json").is_file():
        fix = "name a folder in Hugging Face form: config.json, tokenizer files and *.safetensors"
        raise InputError("incomplete_base", "this folder holds no model: config.json is missing", str(folder), fix)
    if not any(folder.glob("*.safetensors")):
        if any(path for pattern in PICKLED for path in folder.glob(pattern)):
            raise InputError(
                "pickled_base",
                "this model has pickled weights only; loading a pickle can run any code, so it is refused",
                str(folder),
                "convert it once, where you trust it: model.save_pretrained(FOLDER, safe_serialization=True)",
            )
        fix = "copy the *.safetensors files there too"
        raise InputError("incomplete_base", "this folder holds no weights (*.safetensors)", str(folder), fix)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        fix = "copy the tokenizer files there too (tokenizer.json, tokenizer_config.json)"
        raise InputError("incomplete_base", "this folder holds no tokenizer", str(folder), fix)
    for name in ("config.json", "tokenizer_config.json", *TOKENIZER_FILES):
        if name.endswith(".json") and (folder / name).is_file():
            _refuse_broken_json(folder / name)
    for shard in sorted(folder.glob("*.safetensors")):
        _refuse_cut_off(shard)


def _refuse_broken_json(path: Path) -> None:
    try:
        orjson.loads(path.read_bytes())
    except ValueError as error:
        what, fix = f"this file of the base cannot be read ({error})", "copy the file again from where it came"
        raise InputError("incomplete_base", what, str(path), fix) from error


def _refuse_cut_off(shard: Path) -> None:
    """Compare a safetensors file's size with what its header promises."""
    header = _safetensors_header(shard)
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    with shard.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
    if shard.stat().st_size < 8 + length + max(ends, default=0):
        fix = "copy the file again from where it came"
        raise InputError("corrupted_base", "this safetensors file is cut off", str(shard), fix)


def weights_sha256(folder: Path) -> str:
    """The sha256 of the weights: of the file itself, or over the shards' names and hashes."""
    shards = sorted(folder.glob("*.safetensors"))
    if len(shards) == 1:
        return sha256_of(shards[0])
    lines = "".join(f"{sha256_of(shard)}  {shard.name}\n" for shard in shards)
    return hashlib.sha256(lines.encode()).hexdigest()


def count_parameters(folder: Path) -> int:
    """How many numbers the safetensors files hold, read from their headers alone.

    The format: 8 bytes little-endian length, then that many bytes of JSON
    (https://github.com/huggingface/safetensors#format).
    """
    total = 0
    for shard in sorted(folder.glob("*.safetensors")):
        for name, tensor in _safetensors_header(shard).items():
            if name != "__metadata__" and not name.endswith("position_ids"):
                count = 1
                for size in tensor["shape"]:
                    count *= size
                total += count
    return total


def _safetensors_header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > path.stat().st_size:
                raise ValueError("its header is longer than the file")
            header: dict[str, Any] = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no mapping")
    except (struct.error, ValueError) as error:
        fix = "copy the file again from where it came"
        raise InputError("corrupted_base", f"this is not a whole safetensors file ({error})", str(path), fix) from error
    return header
