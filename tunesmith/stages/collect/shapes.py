"""Detect how the rows of a file are laid out: chat, prompt and completion, Alpaca, ShareGPT, two columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from tunesmith.errors import InputError, raise_all
from tunesmith.stages.collect.columns import (
    OUTPUT_NAMES,
    PAIRS,
    choose_columns,
    missing_columns,
    plain_name,
    text_column,
)
from tunesmith.stages.collect.settings import SourceSettings

Shape = Literal["openai_chat", "prompt_completion", "alpaca", "sharegpt", "columns", "text"]
CHAT_KEYS = ("messages", "conversations", "conversation")


@dataclass(frozen=True)
class Layout:
    """Which columns of a row go in and which come out.

    Of chats both name the column with the turns; of text nothing goes in. ``as_object``: the answer is one JSON
    object of the output columns.
    """

    shape: Shape
    input: tuple[str, ...]
    output: tuple[str, ...]
    as_object: bool = False

    @property
    def mapping(self) -> dict[str, str | list[str]]:
        """The mapping as data: a name, or a list where there are several."""
        output = list(self.output) if self.as_object or len(self.output) > 1 else self.output[0]
        return {"input": self.input[0] if len(self.input) == 1 else list(self.input), "output": output}

    @property
    def words(self) -> str:
        """The mapping in a few words."""
        if self.shape == "text":
            return f"each {self.output[0]!r} is learned whole, with no question before it"
        if self.shape in ("openai_chat", "sharegpt"):
            return f"the turns in {self.input[0]!r}; the last one of the assistant is the answer"
        return f"{' + '.join(self.input)} → {', '.join(self.output)}{' (one JSON object)' if self.as_object else ''}"


def detect_layout(
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    source: SourceSettings,
    output: str,
    where: str,
    *,
    fixed: bool,
) -> Layout:
    """Detect the layout from the first rows; what the settings say wins.

    ``output`` is the goal's kind; ``fixed`` says that no other columns can follow. Raises InputError when the
    columns are ambiguous, named twice or missing.
    """
    layout = _layout(columns, rows, source, output, where)
    used = columns_used(layout, source)
    faults = [_named_twice(name, where) for name in used if list(columns).count(name) > 1]
    if fixed:
        faults += missing_columns([name for name in used if name not in columns], columns, where)
    raise_all(faults)
    return layout


def columns_used(layout: Layout, source: SourceSettings) -> list[str]:
    """Every column that the layout and the settings read, each once, in a fixed order."""
    extra = [name for name in (source.rejected, source.weight) if name is not None]
    return list(dict.fromkeys([*layout.input, *layout.output, *extra, *source.tags]))


def _layout(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], source: SourceSettings, output: str, where: str
) -> Layout:
    shape = source.shape
    if shape == "text":
        return Layout("text", (), (text_column(columns, source, output, where),))
    mapped = source.input is not None or source.output is not None
    if shape in ("openai_chat", "sharegpt") or (shape == "auto" and not mapped):
        chat = _chat(columns, rows, source, where)
        if chat is not None:
            return chat
    if shape == "alpaca" or (shape == "auto" and not mapped):
        alpaca = _alpaca(columns, source, where)
        if alpaca is not None:
            return alpaca
    if shape == "prompt_completion" and not mapped:
        pairs = _pairs(columns)
        if len(pairs) == 1:
            return Layout("prompt_completion", (pairs[0][0],), (pairs[0][1],))
    return _columns(columns, source, output, where)


def _chat(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], source: SourceSettings, where: str
) -> Layout | None:
    """The layout of chats when a column holds turns; always one when the settings ask for chats."""
    keys = [source.input] if isinstance(source.input, str) else [key for key in CHAT_KEYS if key in columns]
    for key in keys:
        for row in rows:
            turns = as_turns(row.get(key))
            first = turns[0] if turns else None
            if isinstance(first, dict) and ("role" in first or "from" in first):
                detected: Shape = "openai_chat" if "role" in first else "sharegpt"
                return Layout(detected if source.shape == "auto" else _asked(source), (key,), (key,))
    if source.shape == "auto":
        return None
    if not keys:
        expected = "messages" if source.shape == "openai_chat" else "conversations"
        raise missing_columns([expected], columns, where)[0]
    return Layout(_asked(source), (keys[0],), (keys[0],))


def _asked(source: SourceSettings) -> Shape:
    return "openai_chat" if source.shape == "openai_chat" else "sharegpt"


def as_turns(value: Any) -> list[Any] | None:
    """The turns of a chat: a list, or a text that holds one as JSON (in CSV and Parquet); else None."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, list) else None


def _alpaca(columns: Sequence[str], source: SourceSettings, where: str) -> Layout | None:
    instruction = "instruction" if "instruction" in columns else None
    context = next((name for name in ("input", "context") if name in columns), None)
    answer = next((name for name in ("output", "response") if name in columns), None)
    if isinstance(source.output, str):
        answer = source.output
    goes_in = tuple(name for name in (instruction, context) if name is not None)
    if source.input is not None:
        goes_in = (source.input,) if isinstance(source.input, str) else tuple(source.input)
    if answer is not None and goes_in and (instruction is not None or source.input is not None):
        return Layout("alpaca", goes_in, (answer,))
    if source.shape == "alpaca":
        missing = [] if goes_in and instruction else ["instruction"]
        raise_all(missing_columns(missing + ([] if answer else ["output"]), columns, where))
    return None


def _pairs(columns: Sequence[str]) -> list[tuple[str, str]]:
    names = {plain_name(name): name for name in columns}
    return [(names[first], names[second]) for first, second in PAIRS if first in names and second in names]


def _columns(columns: Sequence[str], source: SourceSettings, output: str, where: str) -> Layout:
    goes_in, comes_out = choose_columns(columns, source, output, where)
    as_object = isinstance(source.output, list) and (len(comes_out) > 1 or output == "json")
    pair = tuple(plain_name(name) for name in (*goes_in, *comes_out))
    shape: Shape = "prompt_completion" if pair in PAIRS and source.shape != "columns" else "columns"
    return Layout(shape, tuple(goes_in), tuple(comes_out), as_object)


def _named_twice(name: str, where: str) -> InputError:
    return InputError("duplicate_column", f"two columns are both named {name!r}", where, "rename one of them")


def unused(columns: Sequence[str], layout: Layout, source: SourceSettings) -> list[str]:
    """Columns that nothing reads; those that look like an answer first."""
    own = () if layout.shape in ("columns", "prompt_completion", "text") else ("weight", "system")
    used = {*columns_used(layout, source), *own}
    rest = [name for name in columns if name and name not in used]
    return sorted(rest, key=lambda name: plain_name(name) not in OUTPUT_NAMES)
