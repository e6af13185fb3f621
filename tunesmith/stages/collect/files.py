"""Find the data files that the sources name."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tunesmith.errors import InputError
from tunesmith.stages.collect.faults import FaultList
from tunesmith.stages.collect.settings import SourceSettings

#: What a file's ending (before .gz) promises; the content has the last word.
ENDINGS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
#: Plain text, where nothing in it says otherwise. In a folder such files are taken when it is asked for text.
TEXT_ENDINGS = frozenset({".txt", ".md", ".text"})
KINDS = "CSV, TSV, JSON, JSONL or Parquet"


@dataclass(frozen=True)
class DataFile:
    """One file of a source. ``uri`` is relative to the project when the file is inside it, else absolute."""

    path: Path
    uri: str
    bytes: int
    source: SourceSettings

    @property
    def ending(self) -> str:
        """The ending in lower case, without .gz."""
        name = self.path.name.lower().removesuffix(".gz")
        return Path(name).suffix


def find_files(sources: list[SourceSettings], project: Path, faults: FaultList) -> list[DataFile]:
    """Every file that the sources name, in their order, folders sorted; what is missing goes to ``faults``."""
    files: list[DataFile] = []
    seen: dict[Path, str] = {}
    if not sources:
        fault = InputError(
            "no_sources", "no examples are named", "collect", "`tunesmith add FILE` names a file of examples"
        )
        faults.add_file(fault)
    for source in sources:
        try:
            found = _files_of(source, project)
        except InputError as fault:
            faults.add_file(fault)
            continue
        for file in found:
            real = file.path.resolve()
            if real in seen:
                faults.add_file(_named_twice(file, seen[real]))
            else:
                seen[real] = source.path
                files.append(file)
    return files


def _files_of(source: SourceSettings, project: Path) -> list[DataFile]:
    try:
        # abspath and not resolve: a linked folder keeps the name that the user gave it
        root = Path(os.path.abspath(project / Path(source.path).expanduser()))  # noqa: PTH100
        if root.is_dir():
            paths = _in_folder(root, frozenset(ENDINGS) | (TEXT_ENDINGS if source.shape == "text" else frozenset()))
            if not paths:
                raise InputError(
                    "no_data_files",
                    f"this folder holds no data file ({KINDS}, or .gz of these)",
                    source.path,
                    "put your examples there, or name another folder or file under `collect:`",
                )
        elif root.is_file():
            paths = [root]
        else:
            raise _missing(source, root)
        return [DataFile(path, uri_of(path, project), path.stat().st_size, source) for path in paths]
    except (OSError, ValueError, RuntimeError) as error:  # of these, the last is a ~name that is no user
        why = getattr(error, "strerror", None) or error
        fix = "check the path and its permissions"
        raise InputError("unreadable_file", f"cannot be read ({why})", source.path, fix) from error


def _in_folder(root: Path, endings: frozenset[str]) -> list[Path]:
    """Data files below a folder by their endings, sorted; hidden files and folders are left out."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in files:
            ending = Path(name.lower().removesuffix(".gz")).suffix
            if not name.startswith(".") and ending in endings and Path(folder, name).is_file():
                found.append(Path(folder, name))
    return sorted(found)


def uri_of(path: Path, project: Path) -> str:
    """The path relative to the project when it is inside, else absolute."""
    home = Path(os.path.abspath(project))  # noqa: PTH100
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.as_posix()


def _missing(source: SourceSettings, root: Path) -> InputError:
    if os.path.lexists(root):
        what = "a link that leads nowhere" if root.is_symlink() else "neither a file nor a folder (a pipe or a device)"
        return InputError("unreadable_file", f"this is {what}", source.path, "save the examples in a plain file")
    if re.match(r"\w+://", source.path):
        what = "this is an address, not a file on this machine"
        return InputError("missing_file", what, source.path, "download it, and name the file")
    try:
        names = [entry.name for entry in root.parent.iterdir() if not entry.name.startswith(".")]
    except (OSError, ValueError):
        names = []
    near = difflib.get_close_matches(root.name, sorted(names), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "check the path; it is relative to the project's folder"
    return InputError("missing_file", f"there is no such file or folder ({root})", source.path, hint)


def _named_twice(file: DataFile, first: str) -> InputError:
    return InputError(
        "named_twice",
        f"this file comes in twice: by {first!r} and by {file.source.path!r}",
        file.uri,
        "take one of the two out of `collect:`",
    )
