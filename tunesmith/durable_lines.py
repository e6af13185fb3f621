"""Files of one JSON object a line that only grow: what is added is durable; a line that a kill cut off is none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tunesmith.artifact import fsync

#: Bytes that are read at once to find the last line.
_BLOCK = 1 << 16


def whole_lines(path: Path) -> list[str]:
    """The lines of the file, none where there is none. The last one, when a kill cut it off, was never confirmed.

    Only a line feed ends one, after a carriage return or not: a text may hold other ends of lines, such as U+2028.
    """
    try:
        data = _whole(path.read_bytes())
    except FileNotFoundError:
        return []
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]


def _whole(data: bytes) -> bytes:
    """The data without a last line of ours that a kill cut off."""
    start = data.rfind(b"\n") + 1
    tail = data[start:]
    if not tail.startswith(b"{"):
        return data
    try:
        json.loads(tail)
    except ValueError:
        return data[:start]
    return data


def append(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines; when this returns they are durable. Call it where nobody else writes to the file."""
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    fresh = not path.exists()
    with path.open("ab+") as file:
        start, tail = _tail(file)
        whole = _whole(tail)
        file.truncate(start + len(whole))
        file.write(text if whole.endswith(b"\n") or not whole else b"\n" + text)
        file.flush()
        os.fsync(file.fileno())
    if fresh:
        fsync(path.parent)


def _tail(file: BinaryIO) -> tuple[int, bytes]:
    """The end of the file from before its last line end, or all of it where there is none; and where that begins."""
    start, tail = file.seek(0, os.SEEK_END), b""
    while start and b"\n" not in tail:
        size = min(_BLOCK, start)
        start = file.seek(start - size)
        tail = file.read(size) + tail
    return start, tail
