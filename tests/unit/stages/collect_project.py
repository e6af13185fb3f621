"""A small project folder with sources, for the tests of the stage `collect`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunesmith.artifact import read_json
from tunesmith.errors import Faults, InputError
from tunesmith.events import Event
from tunesmith.example import Example
from tunesmith.example_parquet import read_examples, read_rows
from tunesmith.products import SetAsideRow
from tunesmith.stages.collect.run import run
from tunesmith.stages.collect.settings import SourceSettings
from tunesmith.stages.context import Context


@dataclass(frozen=True)
class Collected:
    """What a run made."""

    counts: dict[str, Any]
    examples: list[Example]
    set_aside: list[SetAsideRow]
    sources: list[dict[str, Any]]
    events: list[Event]

    @property
    def pairs(self) -> list[tuple[str, str | None]]:
        return [(example.input, example.answer) for example in self.examples]

    def texts(self, kind: str) -> list[str]:
        return [event.data["text"] for event in self.events if event.kind == kind]


class CollectProject:
    """A project folder in which a test puts files and collects them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / ".tunesmith" / "work"

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def collect(
        self, *sources: str | dict[str, Any], output: str = "text", kept_columns: dict[str, str] | None = None
    ) -> Collected:
        """Run the stage over sources, given by path or as settings; ``kept_columns`` are those that `split` names."""
        self.out.mkdir(parents=True, exist_ok=True)
        events: list[Event] = []
        facts = {"output": output, "kept_columns": kept_columns or {}}
        context = Context("collect", self.folder, self.out, self.folder, sink=events.append, facts=facts)
        counts = run({}, settings_of(*sources), context)
        return Collected(
            counts,
            list(read_examples(self.out / "examples.parquet")),
            [SetAsideRow(**row) for row in read_rows(self.out / "set_aside.parquet")],
            read_json(self.out / "sources.json"),
            events,
        )

    def faults(self, *sources: str | dict[str, Any], output: str = "text", **more: Any) -> list[InputError]:
        """Run the stage over sources that cannot be collected; return what the user is told."""
        try:
            self.collect(*sources, output=output, **more)
        except Faults as faults:
            return faults.faults
        except InputError as fault:
            return [fault]
        raise AssertionError("the stage took these sources")


def settings_of(*sources: str | dict[str, Any]) -> list[SourceSettings]:
    return [SourceSettings(**({"path": source} if isinstance(source, str) else source)) for source in sources]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def jsonl_text(rows: Iterable[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


#: Twelve plain pairs: enough for the stage to go on.
PAIRS = [(f"question {number}", f"answer {number}") for number in range(12)]
TABLE = csv_text(["message", "reply"], PAIRS)
