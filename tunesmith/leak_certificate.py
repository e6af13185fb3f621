"""The leak certificate: `split` writes that no part holds a copy of another's rows; `train` and `test` require it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tunesmith.errors import InputError
from tunesmith.example_parquet import read_rows
from tunesmith.products import CERTIFICATE, CleanSet, Part, Splits
from tunesmith.test_lock import lock_of

_AGAIN = "`tunesmith run --from-scratch` makes all stages again from your sources"


def locks(clean: CleanSet, parts: Mapping[Part, Collection[str]]) -> dict[Part, str]:
    """The hash of each part over the ids and contents of its rows, in one pass over the clean set."""
    part_of = {id: part for part, ids in parts.items() for id in ids}
    found: dict[Part, list[tuple[str, str]]] = {part: [] for part in parts}
    for row in read_rows(clean.path / "examples.parquet", ["id", "content_id"]):
        part = part_of.get(row["id"])
        if part is not None:
            found[part].append((row["id"], row["content_id"]))
    return {part: lock_of(rows) for part, rows in found.items()}


def check_certificate(split: Splits, clean: CleanSet, parts: Sequence[Part]) -> dict[str, Any]:
    """Return the certificate of a split. Raises InputError unless it is there, clean, and of these very rows.

    ``parts`` are those whose rows are held against it: the ones that the caller may read.
    """
    where = str(split.path / CERTIFICATE)
    certificate = split.certificate()
    if certificate is None:
        raise InputError(
            "no_leak_certificate",
            "this split has no leak certificate, so nothing says that training holds no copy of what is tested",
            where,
            _AGAIN,
        )
    if any(certificate["leaks"].values()):
        told = ", ".join(f"{name.replace('_', '/')}: {count}" for name, count in certificate["leaks"].items())
        raise InputError(
            "leaks_between_parts", f"the certificate lists pairs of near copies across parts ({told})", where, _AGAIN
        )
    now = locks(clean, {part: split.ids(part) for part in parts})
    other = [part for part in parts if now[part] != certificate["locks"].get(part)]
    if other:
        raise InputError(
            "certificate_of_other_data",
            f"the leak certificate belongs to other rows than the {' and '.join(other)} part of this split holds",
            where,
            _AGAIN,
        )
    return certificate
