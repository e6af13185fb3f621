"""Rewrite the texts of a row by the fixes that `clean.fix` names: markup taken out, one format for all answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tunesmith.example import Example
from tunesmith.products import GoalSheet
from tunesmith.stages.clean.json_layout import canonical
from tunesmith.stages.clean.label_spelling import enum_spellings, mend_enums
from tunesmith.stages.clean.markup import MarkupLook
from tunesmith.stages.clean.remark import Remark
from tunesmith.stages.clean.settings import CleanSettings
from tunesmith.stages.clean.shorten import listed
from tunesmith.stages.clean.texts import Text, rewrite_messages, rewrite_value
from tunesmith.stages.clean.uneven import STYLE_CODES, Uneven


class Mender:
    """The fixes for one goal and its settings."""

    def __init__(self, goal: GoalSheet, settings: CleanSettings, markup: MarkupLook, uneven: Uneven) -> None:
        self._fix = frozenset(settings.fix)
        self._schema = goal.schema
        self._output = goal.output
        self._markup = markup
        self._uneven = uneven
        self._rewrites = bool(self._fix & {"markup", *STYLE_CODES})
        self._enums = enum_spellings(goal.schema)
        self.listed = frozenset(self._enums)

    def messages(self, example: Example) -> tuple[Example, tuple[Remark, ...]]:
        """The row with the texts of its messages mended; a label or JSON is not touched here."""
        if not self._rewrites or (self._output != "text" and "markup" not in self._fix):
            return example, ()
        done: dict[str, list[str]] = {}
        after = rewrite_messages(example, self._change(done), self._output == "text")
        return after, _remarks(done)

    def json(self, value: Mapping[str, Any], text: str) -> tuple[dict[str, Any], str, tuple[Remark, ...]]:
        """A JSON answer as parsed and as written, mended."""
        fixes: tuple[Remark, ...] = ()
        now = dict(value)
        if "label_spelling" in self._fix:
            now, changes = mend_enums(now, self._enums)
            if changes:
                fixes += (Remark("label_spelling", changes),)
                text = canonical(now, self._schema)
        if self._rewrites:
            done: dict[str, list[str]] = {}
            now = rewrite_value(now, self._change(done), self.listed)
            if done:
                fixes += _remarks(done)
                text = canonical(now, self._schema) if "json_layout" in self._fix else _dumped(now)
        if "json_layout" in self._fix and (written := canonical(now, self._schema)) != text:
            fixes += (Remark("json_layout", "written in one layout, with the keys in the schema's order"),)
            text = written
        return now, text, fixes

    def _change(self, done: dict[str, list[str]]) -> Callable[[Text], str]:
        def change(text: Text) -> str:
            now = text.text
            if not self._uneven.settled:  # what is usual is still being learned, from the texts as they came
                return now
            if "markup" in self._fix and (better := self._markup.mend(text)) != now:
                done.setdefault("markup", []).append(f"{text.name}: tags taken out, entities as their characters")
                now = better
            if text.side == "answer":
                now, changes = self._uneven.mend(Text(text.side, text.field, now))
                for code, words in changes:
                    done.setdefault(code, []).append(words)
            return now

        return change


def _remarks(done: Mapping[str, list[str]]) -> tuple[Remark, ...]:
    return tuple(Remark(code, listed(dict.fromkeys(words))) for code, words in done.items())


def _dumped(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False)
    try:
        written.encode("utf-8")
    except UnicodeEncodeError:  # halves of a character that belong to nothing stay escaped
        return json.dumps(value)
    return written
