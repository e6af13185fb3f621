"""The whole server over engines that need no model: `python -m tests.unit.server.double_server FOLDER`.

The text model says what it was asked, a byte a token; asked something that begins with "hold", it stops after four
bytes until there is a file `go` in the folder, and with "fail", it breaks down there. The classifier looks at the
first letter.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from tunesmith.example import Message
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.products import BaseModel, GoalSheet, TunedModel
from tunesmith.server.door import Bounds
from tunesmith.server.engines import LabelEngine
from tunesmith.server.keys import Keys, Limits
from tunesmith.server.limits import Gate
from tunesmith.server.registry import Registry
from tunesmith.server.served import Served, ServedLabels, ServedText
from tunesmith.server.site import Site
from tunesmith.server.start import bind, run
from tunesmith.server.version import Version

END = 256
CONTEXT = 2000


class Bytes:
    """Token ids are bytes."""

    def of_messages(self, messages: Sequence[Message]) -> list[int]:
        return list("\n".join(message.text for message in messages if message.role != "system").encode())

    def of_text(self, text: str) -> list[int]:
        return list(text.encode())

    def text_of(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    def piece(self, token: int) -> str:
        return bytes([token]).decode("utf-8", "replace")


class Echo:
    """Writes the prompt again. ``given_up`` counts answers that nobody read to the end."""

    name = "echo"
    slots = 2

    def __init__(self, folder: Path) -> None:
        self.given_up = 0
        self._go = folder / "go"

    async def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        holds, fails = bytes(prompt).startswith(b"hold"), bytes(prompt).startswith(b"fail")
        whole = False
        try:
            for number, byte in enumerate(prompt[: sampling.max_tokens]):
                await asyncio.sleep(0)
                while holds and number == 4 and not self._go.exists():
                    await asyncio.sleep(0.02)
                if fails and number == 4:
                    raise RuntimeError("a secret of the server's")
                yield WrittenToken(byte, -0.1, tuple((byte, -0.1) for _ in range(min(1, sampling.top))))
            if len(prompt) < sampling.max_tokens:
                yield WrittenToken(END, -0.1, is_end=True)
            whole = True
        finally:
            self.given_up += not whole

    async def start(self) -> None:
        pass

    async def works(self) -> bool:
        return self.given_up < 1000

    async def close(self) -> None:
        pass


class FirstLetter:
    """Two labels: whether the first letter comes early in the alphabet."""

    def tokens(self, prompt: Sequence[Message]) -> list[int]:
        return list(prompt[-1].text.encode())

    def score(self, rows: Sequence[list[int]], *, vectors: bool = False) -> list[tuple[list[float], list[float]]]:
        shares = [(row[0] if row else 0) / 256 for row in rows]
        return [([1 - share, share], [0.6, 0.8] if vectors else []) for share in shares]


def version(name: str, output: str, **goal: object) -> Version:
    sheet = GoalSheet("text", output, "Be kind.", **goal)  # type: ignore[arg-type]
    kind = "encoder" if output == "label" else "causal_lm"
    base = BaseModel("base", kind, Path(), 1, CONTEXT, "mit", ("en",), "made", "0" * 64, "", False)  # type: ignore[arg-type]
    tuned = TunedModel(Path(), "none", {}, (), {}, {})
    return Version(name, f"{name[0]}0123456789", sheet, base, tuned, 1000, False, 1.0, "The goal is met.")


def models(folder: Path, waiting: int) -> list[Served]:
    text = version("echo", "text", unknown="hand_off", confidence=0.99)
    labels = version("letters", "label", labels=("early", "late"))
    engine = Echo(folder)
    site = Site("double")
    return [
        ServedText(text, engine, Bytes(), Gate(engine.slots, waiting), CONTEXT, site),
        ServedLabels(labels, LabelEngine(FirstLetter()), Gate(64, waiting), site),
    ]


def main(make: Callable[[Path, int], list[Served]] = models) -> None:
    folder = Path(sys.argv[1])
    keys = Keys(folder / "keys.json")
    secret = keys.make("first", Limits())
    listener = bind("127.0.0.1", 0)
    bounds = Bounds(body_bytes=200_000, body_seconds=1.0, send_seconds=60.0)
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1], "key": secret}) + "\n")
    sys.stdout.flush()
    run(Registry(make(folder, 2)), keys, listener, bounds)


if __name__ == "__main__":
    main()
