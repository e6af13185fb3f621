"""What can go wrong, in words that a user can act on.

    Exception
    └── TunesmithError          exit 1   a stage failed
        ├── InputError          exit 2   the project or its input is wrong
        │   ├── Faults          exit 2   several input errors, told together
        │   └── Busy            exit 2   another process works on this project
        ├── MissingExtra        exit 2   an optional package is needed
        ├── TestPartLocked      exit 1   something that trains asked for test rows
        └── Cancelled           exit 130 the user stopped it

Every error has four fields: a stable ``code``, ``what`` is wrong, ``where`` (file:line, key or
example id) and the ``fix``. The command line shows these and no traceback unless ``--debug``.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence


class TunesmithError(Exception):
    """A failure with its cause, its place and its remedy."""

    exit_code = 1

    def __init__(self, code: str, what: str, where: str = "", fix: str = "") -> None:
        self.code = code
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"\n  fix: {self.fix}" if self.fix else ""
        return f"{place}{self.what} [{self.code}]{remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_revived, (type(self), self.__dict__.copy(), self.args))


def _revived(kind: type[TunesmithError], state: dict[str, object], args: tuple[object, ...]) -> TunesmithError:
    """An error as it was in the process that raised it, whatever its kind is made from."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(TunesmithError):
    """The project file or the data given to it is wrong."""

    exit_code = 2


class Faults(InputError):
    """All faults found in one input, so that a user mends them in one go."""

    def __init__(self, faults: Sequence[InputError], more: int = 0) -> None:
        self.faults = list(faults)
        self.more = more
        first = self.faults[0]
        super().__init__(first.code, first.what, first.where, first.fix)

    def __str__(self) -> str:
        if len(self.faults) == 1 and not self.more:
            return str(self.faults[0])
        lines = [f"{len(self.faults) + self.more} faults:"]
        lines += [f"- {fault}" for fault in self.faults]
        if self.more:
            lines.append(f"- … and {self.more} more like these")
        return "\n".join(lines)


class Busy(InputError):
    """Another process holds this project."""


class MissingExtra(TunesmithError):
    """A feature needs a package that is not installed."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            "missing_extra",
            f"this needs the package {package!r}, which is not installed",
            fix=f"pip install 'tunesmith[{extra}]'",
        )


class TestPartLocked(TunesmithError):
    """Something other than the test stage asked for the locked test part."""

    __test__ = False  # not a pytest class

    def __init__(self, stage: str) -> None:
        super().__init__(
            "test_part_locked",
            f"the stage {stage!r} may not read the test part: it is locked so that scores stay honest",
            fix="read the parts 'train' and 'validation' only",
        )


class Cancelled(TunesmithError):
    """The user stopped the run; what was whole is kept."""

    exit_code = 130

    def __init__(self, what: str = "stopped by you; what was finished is kept") -> None:
        super().__init__("cancelled", what, fix="`tunesmith run` goes on from here")


def raise_all(faults: Sequence[InputError], shown: int = 20) -> None:
    """Raise the faults as one error, or return when there are none."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise Faults(faults[:shown], more=max(0, len(faults) - shown))


#: How Rust libraries (safetensors, tokenizers) end the message of an operating-system error.
_RUST_OS_ERROR = re.compile(r"\(os error (\d+)\)\W*$")


def os_error_in(error: BaseException) -> OSError | None:
    """The operating-system error that this is, or that a library wrote into its message; else None."""
    if isinstance(error, OSError):
        return error
    found = _RUST_OS_ERROR.search(str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


def from_os_error(error: OSError, place: str = "") -> TunesmithError:
    """Turn an operating-system error that a user can mend into words. ``place`` is told when it names no file."""
    where = str(error.filename or place)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return InputError(
            "disk_full",
            "the disk is full; nothing half-written was kept",
            where,
            "free some space (or move the project to another disk) and run the same command again",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError(
            "not_writable",
            f"no permission to use this place ({error.strerror})",
            where,
            "make the folder writable or copy the project to one that is",
        )
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP):
        what = f"this path cannot be used ({error.strerror})"
        return InputError("os_error", what, where, "check the path: a file may stand where a folder is meant")
    return TunesmithError("os_error", f"{error.strerror or error}", where, "run with --debug to see where")
