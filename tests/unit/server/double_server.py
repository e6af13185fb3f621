"""The whole server over engines that need no model: `python -m tests.unit.server.double_server FOLDER [OPTIONS]`.

The text model says what it was asked, a byte a token (behind what came of a tool's call, that), and what of it is a
call of a tool in the form of Hermes is one; where it must call, it calls the first tool. Asked something that begins
with "hold", it stops after four bytes until there is a file `go` in the folder, and with "fail", it breaks down there,
with what it was asked in the error's words; with "down", it is down the first time. The classifier looks at the first
letter. OPTIONS is JSON: ``waiting`` (places in the queue), ``pause`` (seconds a token takes), ``keeps`` (what came of
requests is logged, without texts), ``hosts`` (names that it goes by), ``patient`` (it bounds bodies and times as the
product does).
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from tunesmith.deployment.exchange import Recorder
from tunesmith.deployment.feedback import FeedbackBook
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.kept_text import TextMasker
from tunesmith.deployment.log_settings import LogSettings
from tunesmith.deployment.people import as_it_came
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.retention import expire, keep_expiring
from tunesmith.deployment.state import State
from tunesmith.deployment.tables import open_state
from tunesmith.deployment.traces import Traces
from tunesmith.deployment.traffic import Traffic
from tunesmith.example import Message
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.learners.causal_lm.call_form import CallForm
from tunesmith.learners.causal_lm.call_reader import FormReader
from tunesmith.privacy.mask import masked_text
from tunesmith.products import BaseModel, GoalSheet, TunedModel
from tunesmith.server import heads
from tunesmith.server.door import Bounds
from tunesmith.server.engines import LabelEngine
from tunesmith.server.keys import Keys, Limits
from tunesmith.server.limits import Gate
from tunesmith.server.refusal import Refusal
from tunesmith.server.registry import Registry
from tunesmith.server.served import Served, ServedLabels, ServedText
from tunesmith.server.site import Site
from tunesmith.server.start import bind, listen, run
from tunesmith.server.version import Version
from tunesmith.tool_calls import Tools, Turn

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

    def field_confidence(self, tokens: Sequence[int], log_probabilities: Sequence[float]) -> dict[str, float]:
        """As sure of each field as of its first byte."""
        fields = json.loads(self.text_of(tokens))
        return {name: math.exp(log_probabilities[0]) for name in fields}

    def piece(self, token: int) -> str:
        return bytes([token]).decode("utf-8", "replace")

    @property
    def tools(self) -> ByteTools:
        return ByteTools()


class ByteTools:
    """Calls stand between markers, as in Hermes' templates."""

    form = CallForm(
        "<tool_call>", "</tool_call>", False, "name", "arguments", '{"name": "zz_name", "arguments": ', "", (", ", ": ")
    )

    def of_turns(self, turns: Sequence[Turn], tools: Tools | None) -> list[int]:
        if turns[-1].role == "tool":
            return list(turns[-1].text.encode())
        return Bytes().of_messages([Message.of(turn.role, turn.text) for turn in turns])

    def text_of(self, tokens: Sequence[int]) -> str:
        return Bytes().text_of(tokens)

    def reader(self, prompt: Sequence[int], tools: Tools) -> FormReader:
        return FormReader(self.form, tools.names)

    def grammar(self, tools: Tools, schema: object) -> str | None:
        called = json.dumps({"name": tools.only or tools.names[0], "arguments": {}})
        return None if tools.free else f"<tool_call>{called}</tool_call>"


class Echo:
    """Writes the prompt again. ``given_up`` counts answers that nobody read to the end."""

    name = "echo"
    slots = 2

    def __init__(self, folder: Path, pause: float = 0.0) -> None:
        self.given_up = 0
        self._pause = pause
        self._was_down: set[bytes] = set()
        self._go = folder / "go"

    async def write(self, prompt: Sequence[int], sampling: Sampling) -> AsyncIterator[WrittenToken]:
        if bytes(prompt).startswith(b"down") and bytes(prompt) not in self._was_down:
            self._was_down.add(bytes(prompt))
            raise Refusal(503, "engine_down", "the engine is being started anew", retry_after=1)
        prompt = list(sampling.grammar.encode()) if sampling.grammar is not None else prompt
        holds, fails = bytes(prompt).startswith(b"hold"), bytes(prompt).startswith(b"fail")
        whole = False
        try:
            for number, byte in enumerate(prompt[: sampling.max_tokens]):
                await asyncio.sleep(self._pause)
                while holds and number == 4 and not self._go.exists():
                    await asyncio.sleep(0.02)
                if fails and number == 4:
                    raise RuntimeError(f"a secret of the server's, and the client's: {bytes(prompt).decode()}")
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


def models(folder: Path, waiting: int, pause: float = 0.0, *, keeps: bool = False) -> list[Served]:
    text = version("echo", "text", unknown="hand_off", confidence=0.99)
    # with "m" in the midst of the letters it is unsure, where the folder has settings of the hand-off
    unknown = "hand_off" if (folder / "hand_off.json").exists() else "answer"
    labels = version("letters", "label", labels=("early", "late"), unknown=unknown, confidence=0.6)
    engine = Echo(folder, pause)
    site = open_double_site(folder, keeps=keeps)
    return [
        ServedText(text, engine, Bytes(), Gate(engine.slots, waiting), CONTEXT, site),
        ServedLabels(labels, LabelEngine(FirstLetter()), Gate(64, waiting), site),
    ]


def open_double_site(folder: Path, *, keeps: bool = False) -> Site:
    """The people around the models. ``hand_off.json`` in the folder: settings of the hand-off."""
    state = open_state(folder)
    told = folder / "hand_off.json"
    settings = HandOffSettings(**json.loads(told.read_text()) if told.exists() else {})
    mask = _masked if (folder / "log.json").exists() else as_it_came
    book = FeedbackBook(state, FeedbackSettings(), mask)
    recorders, chores = open_double_log(folder, state)
    kept = [Traffic(state)] if keeps else []
    people = HandOffQueue(state, settings, mask)
    return Site("double", state, people=people, recorders=[*recorders, book, *kept], feedback=book, chores=chores)


def _masked(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(Message.of(message.role, masked_text(message.text)) for message in messages)


def open_double_log(folder: Path, state: State) -> tuple[list[Recorder], list[Callable[[], Awaitable[None]]]]:
    """The log, where the folder has ``log.json`` with its settings; then spans are written to ``spans.jsonl`` too."""
    told = folder / "log.json"
    if not told.exists():
        return [], []
    settings = LogSettings(**json.loads(told.read_text()))
    log = Traffic(state, TextMasker.of({}, frozenset()) if settings.text else None)

    provider = TracerProvider()
    spans = (folder / "spans.jsonl").open("a")
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=spans)))

    async def chore() -> None:
        await keep_expiring(lambda: expire(state, settings))

    return [log, Traces(provider.get_tracer("tunesmith"))], [chore]


def main(make: Callable[..., list[Served]] = models) -> None:
    folder = Path(sys.argv[1])
    options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    keys = Keys(folder / "keys.json")
    secret = keys.make(f"first-{secrets.token_hex(4)}", Limits())
    listener = bind("127.0.0.1", 0)
    listen(listener)
    hosts = frozenset(options.pop("hosts", ()))
    bounds = Bounds(hosts)
    if not options.pop("patient", False):  # so that a test of slow clients need not wait
        bounds = Bounds(hosts, body_bytes=200_000, body_seconds=1.0, send_seconds=2.0)
        heads.HEAD_SECONDS = 2.0
    sys.stdout.write(json.dumps({"port": listener.getsockname()[1], "key": secret}) + "\n")
    sys.stdout.flush()
    run(Registry(make(folder, **{"waiting": 2, **options})), keys, listener, bounds)


if __name__ == "__main__":
    main()
