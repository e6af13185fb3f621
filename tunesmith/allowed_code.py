"""Python files of a project that its goal's rules run: only after this user has allowed these very bytes.

A project can come from anybody, its tunesmith.yaml too, so a key in that file would be no consent. What was allowed
is kept by its sha256 in the user's own folder: on another machine, or after a change of the file, it is asked anew.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunesmith import user_folder
from tunesmith.artifact import make_folder, write_text
from tunesmith.errors import InputError

FOLDER = "allowed_code"


def read(root: Path, place: str, where: str) -> str:
    """The text of the file that ``place`` (such as checks.py:polite) names, inside the project.

    Raises InputError ``no_rule_code``. Nothing is run.
    """
    name, _, function = place.partition(":")
    path = (root / name).resolve()
    inside = path.is_relative_to(root.resolve()) and path.suffix == ".py" and function.isidentifier()
    if not inside:
        what = f"{place!r} names no function of a Python file of the project"
        raise InputError("no_rule_code", what, where, "write it like checks.py:polite")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("no_rule_code", f"the file cannot be read ({error})", where, f"write {name}") from error


def check(source: str, place: str, where: str) -> None:
    """Raise InputError ``code_not_allowed`` unless this user has allowed this text."""
    if not _mark(source).exists():
        raise InputError(
            "code_not_allowed",
            f"this rule runs the Python code of {place.partition(':')[0]}, with all that you may do on this machine",
            where,
            "read the file; if you trust it, `tunesmith run --allow-code` allows it until it changes",
        )


def allow(source: str) -> None:
    """Allow this text for this user, on this machine."""
    mark = _mark(source)
    make_folder(mark.parent)
    write_text(mark, "")


def _mark(source: str) -> Path:
    return user_folder.cache() / FOLDER / hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


def function_of(source: str, place: str, where: str) -> Callable[[str, str], Any]:
    """Run the text, and return the function that ``place`` names in it.

    Raises InputError ``code_not_allowed``, and ``no_rule_code`` where running it fails or there is no such function.
    """
    check(source, place, where)
    file, _, name = place.partition(":")
    names: dict[str, Any] = {"__name__": f"rules_of_{Path(file).stem}", "__file__": file}
    # so that an error in it is told with its line
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    try:
        exec(compile(source, file, "exec"), names)
    except Exception as error:
        what = f"the file ended with {type(error).__name__}: {error}"
        raise InputError("no_rule_code", what, where, f"mend {file}") from error
    if not callable(names.get(name)):
        raise InputError(
            "no_rule_code", f"there is no function {name!r} in it", where, f"write def {name}(answer, input)"
        )
    return names[name]  # type: ignore[no-any-return]
