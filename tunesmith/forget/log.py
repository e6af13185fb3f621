"""The log of events: words about a row that is forgotten are taken out of it, the figures stay."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tunesmith.artifact import write_text
from tunesmith.forget.find import Rows, Wanted
from tunesmith.similarity.normal_form import normalise

FILE = "events.jsonl"
_KINDS = ("note", "warning", "stage_failed")
_WORDS = ("text", "what")
_QUOTED = re.compile(r'"([^"]+)"|\'([^\']+)\'')
_REMOVED = "(removed: it was about a row that was forgotten)"


def lines_about(path: Path, rows: Rows, wanted: Wanted) -> list[int]:
    """The numbers, from 0, of the lines that name a row, its place or a named text, or quote what it says."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    places = {f"{uri}:{row}" for uri, row in rows.places}
    return [number for number, line in enumerate(lines) if _is_about(line, rows, wanted, places)]


def _is_about(line: bytes, rows: Rows, wanted: Wanted, places: Collection[str]) -> bool:
    data = _data(line)
    said = " ".join(str(data[word]) for word in _WORDS if word in data)
    if not said:
        return False
    if wanted.in_text(said) or any(place in said for place in places) or any(id in said for id in rows.ids):
        return True
    quoted = (normalise(one or other).rstrip("…") for one, other in _QUOTED.findall(said))
    return any(part in text for part in quoted if part for text in rows.texts)


def _data(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    told = isinstance(event, dict) and event.get("kind") in _KINDS and isinstance(event.get("data"), dict)
    return event["data"] if told else {}


def blank(path: Path, numbers: Collection[int]) -> None:
    """Take the words out of these lines. Doing it again changes nothing."""
    lines = path.read_bytes().splitlines()
    for number in numbers:
        event = json.loads(lines[number])
        event["data"] |= {word: _REMOVED for word in _WORDS if word in event["data"]}
        lines[number] = json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode()
    write_text(path, b"".join(line + b"\n" for line in lines).decode("utf-8", "replace"))
