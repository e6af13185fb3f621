"""The rows of the training benchmarks, made of Banking77: conversations, documents with questions, preferences.

Rows are those of TRL: ``prompt`` and ``completion`` (or ``chosen`` and ``rejected``) as lists of messages.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.banking77 import read

#: What the chat template puts first when a conversation has no system message of its own.
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def chat(data: Path, count: int | None = None, system: str | None = SYSTEM) -> list[dict[str, Any]]:
    """A customer's question and the name of its intent."""
    return [{"prompt": asked(text, system), "completion": answer(label)} for text, label in shuffled(data)[:count]]


def documents(data: Path, count: int) -> list[dict[str, Any]]:
    """Questions, ten on each document of about 400 tokens."""
    return [
        {"prompt": asked(f"{document}\n\n{question}"), "completion": answer(right)}
        for document, question, right, _ in questions(data, count, messages=22, on_each=10)
    ]


def preferences(data: Path, count: int) -> list[dict[str, Any]]:
    """A right and a wrong answer to each prompt of about 300 tokens."""
    return [
        {"prompt": asked(f"{document}\n\n{question}"), "chosen": answer(right), "rejected": answer(wrong)}
        for document, question, right, wrong in questions(data, count, messages=15, on_each=1)
    ]


def questions(data: Path, count: int, messages: int, on_each: int) -> list[tuple[str, str, str, str]]:
    """(document, question, right answer, wrong answer): a document is a list of customers' messages."""
    found = shuffled(data)
    made = []
    for number in range(count):
        start = number // on_each * messages
        listed = found[start : start + messages]
        document = "\n".join(f"{place}. {text}" for place, (text, _) in enumerate(listed, 1))
        at = number % on_each
        right = listed[at][1]
        wrong = next(label for _, label in listed[at:] + listed[:at] if label != right)
        made.append((document, f"What does message {at + 1} ask about?", right, wrong))
    return made


def shuffled(data: Path) -> list[tuple[str, str]]:
    """The training rows as (text, intent), in an order of their own: the file has them by intent."""
    rows = read(data / "train.csv")
    random.Random(0).shuffle(rows)
    return rows


def asked(text: str, system: str | None = SYSTEM) -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system is not None else []
    return [*first, {"role": "user", "content": text}]


def answer(label: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": label.replace("_", " ")}]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """One row a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
