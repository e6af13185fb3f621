"""What a run says when the disk stops it: what does not fit there, and from where it goes on."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tunesmith.errors import TunesmithError, from_os_error, os_error_in

#: Why there is no room, by error number.
NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a limit on the size of files is in the way (`ulimit -f`)",
}


@contextmanager
def told_of_disk(folder: Path, what: str, size: int, step: int) -> Iterator[None]:
    """Turn what the disk refuses into words. ``what`` is written into ``folder`` and takes about ``size`` bytes;
    ``step`` is that of the newest whole checkpoint, 0 without one. Raises TunesmithError.
    """
    try:
        yield
    except TunesmithError:
        raise
    except Exception as error:
        known = os_error_in(error)
        if known is None:
            raise
        raise _told(known, folder, what, size, step) from error


def _told(error: OSError, folder: Path, what: str, size: int, step: int) -> TunesmithError:
    told = from_os_error(error, str(folder))
    kept = f"the checkpoint of step {step:,} is whole" if step else "nothing half-written was kept"
    then = f"`tunesmith run` goes on from step {step:,}" if step else "`tunesmith run` begins anew"
    if error.errno in NO_ROOM:
        free = _free(folder)
        room = "" if error.errno != errno.ENOSPC or free is None else f" and {free:,} are free"
        missing = "some space" if free is None or free >= size else f"at least {size - free:,} bytes"
        text = f"{NO_ROOM[error.errno]}: {what} takes about {size:,} bytes{room}; {kept}"
        fix = f"free {missing} there (or move the project to another disk), then {then}"
        return type(told)(told.code, text, str(folder), fix)
    text = f"{what} could not be written ({error.strerror}); {kept}"
    if error.errno == errno.EIO:
        fix = f"see to the disk, or move the project to another; then {then}"
        return TunesmithError("disk_failed", text, str(folder), fix)
    return type(told)(told.code, text, str(folder), f"{told.fix}; then {then}")


def _free(folder: Path) -> int | None:
    """Bytes that may be written on the disk that a folder is on, or is to be on."""
    for place in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free
    return None
