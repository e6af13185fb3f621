"""The fingerprint of the sources: what the pipeline hashes to know whether the examples have changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunesmith.artifact import sha256_of
from tunesmith.errors import InputError
from tunesmith.stages.collect.faults import FaultList
from tunesmith.stages.collect.files import find_files
from tunesmith.stages.collect.recognise import recognise
from tunesmith.stages.collect.settings import SourceSettings


def fingerprint(settings: list[SourceSettings], project: Path, output: str = "text") -> list[dict[str, Any]]:
    """Path, sha256 and size in bytes of every file that the sources name, in the order they are read.

    ``output`` is the goal's kind.

    Raises all faults at once when files are missing, empty, binary or of an unknown kind.
    """
    faults = FaultList()
    prints = []
    for file in find_files(settings, project, faults):
        try:
            recognise(file, output)
            prints.append({"path": file.uri, "sha256": sha256_of(file.path), "bytes": file.bytes})
        except InputError as fault:
            faults.add_file(fault)
    faults.raise_if_any()
    return prints
