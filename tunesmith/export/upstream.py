"""Replay test rows at a server that has the trained model, asked as `tunesmith serve` asks it for clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tunesmith.engines import upstream_chat, upstream_tokens
from tunesmith.engines.upstream import REFUSES_KEY, Upstream, UpstreamError, Wire
from tunesmith.engines.upstream_chat import Usage, messages_of
from tunesmith.engines.upstream_tokens import TELLS_NO_IDS
from tunesmith.errors import InputError
from tunesmith.example import Message
from tunesmith.export.certificate import probes_of
from tunesmith.export.compare import LogProbabilities
from tunesmith.export.reference import Reference
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.learners.protocol import Progress, Replayed
from tunesmith.products import GoalSheet

Prompt = tuple[Message, ...]
#: How often a row is asked while the server says that it has too much to do.
TRIES = 6
LONGEST_WAIT = 30.0


def reach(upstream: Upstream) -> None:
    """Have the server write one token, so that what is wrong with it is known before anything long begins.

    Raises InputError with the code of the UpstreamError.
    """

    async def ask() -> None:
        async with _wired(upstream) as wire:
            if upstream.kind == "openai":
                asked = {"max_tokens": 1, "temperature": 0}
                async for _ in upstream_chat.write(wire, messages_of("", (Message.of("user", "a"),)), asked):
                    return
            # the shortest prompt of ids that every vocabulary has
            async for _ in upstream_tokens.write(wire, [1, 1], Sampling(1), -1):
                return

    try:
        asyncio.run(ask())
    except UpstreamError as error:
        raise told(upstream, error) from error


def told(upstream: Upstream, error: UpstreamError) -> InputError:
    """What went wrong, to the owner of the project."""
    fix = {
        "upstream_down": "see that it runs, and that serve.upstream.url leads there",
        "upstream_odd": "serve.upstream.url must end as its API begins, mostly with /v1, and serve.upstream.model must "
        "be one that it has",
        "upstream_refuses": "serve.upstream.options: {KEY: null} takes out what it does not know",
    }[error.code]
    if upstream.kind == "vllm" and error.code != "upstream_down":
        fix += "; a server that takes no token ids is asked by messages: --engine openai"
    if REFUSES_KEY in error.what:
        fix = "serve.upstream.key_env names the variable of the environment that has its key: mend what that holds"
    if TELLS_NO_IDS in error.what:
        fix = "`--engine openai` asks it by messages, which needs no token ids"
    what = f"{error.what}: {error.said}" if error.said else error.what
    return InputError(error.code, what, upstream.endpoint.url, fix)


@dataclass
class Remote:
    """The server at work (`replay.Asked`). ``notes``: what was found besides, after the replay."""

    upstream: Upstream
    given: Reference
    goal: GoalSheet
    end: int
    text_of: Callable[[Sequence[int]], str]
    notes: list[str] = field(default_factory=list)
    engine: str = ""

    def __post_init__(self) -> None:
        self.engine = f"the upstream {self.upstream.words}"

    def replay(self, prompts: Sequence[Prompt], limit: int, on_progress: Progress) -> list[Replayed]:
        """Answer the prompts of the reference, as many together as the settings let."""
        try:
            return asyncio.run(self._replay(prompts, limit, on_progress))
        except UpstreamError as error:
            raise told(self.upstream, error) from error

    async def _replay(self, prompts: Sequence[Prompt], limit: int, on_progress: Progress) -> list[Replayed]:
        room = asyncio.Semaphore(self.upstream.endpoint.at_once)
        counts: dict[int, int] = {}
        done = 0

        async def one(wire: Wire, number: int) -> Replayed:
            nonlocal done
            async with room:
                found = await _patiently(lambda: self._answer(wire, number, prompts[number], limit, counts))
            done += 1
            on_progress(done, len(prompts))
            return found

        async with _wired(self.upstream) as wire:
            found = await asyncio.gather(*(one(wire, number) for number in range(len(prompts))))
        if counts:
            same = sum(counts[number] == len(self.given.answers[number].prompt) for number in counts)
            self.notes.append(
                f"The upstream counts as many tokens in the prompt as training had on {same} of {len(counts)} rows"
                + (": its chat template or system prompt seems to be another." if same < len(counts) else ".")
            )
        return list(found)

    async def _answer(self, wire: Wire, number: int, prompt: Prompt, limit: int, counts: dict[int, int]) -> Replayed:
        began = time.perf_counter()
        if self.upstream.kind == "openai":
            text, reason, usage = await chat(wire, messages_of(self.goal.system, prompt), limit)
            if usage.prompt is not None:
                counts[number] = usage.prompt
            return Replayed((), (), text, reason != "length", time.perf_counter() - began)
        ids = self.given.answers[number].prompt
        written: list[WrittenToken] = []
        async for token in upstream_tokens.write(wire, ids, Sampling(limit), self.end):
            written.append(token)
        finished = bool(written) and written[-1].is_end
        kept = written[:-1] if finished else written
        tokens = tuple(token.id for token in kept)
        logprobs = tuple(token.log_probability for token in kept)
        return Replayed(ids, tokens, self.text_of(tokens), finished, time.perf_counter() - began, logprobs)


async def chat(wire: Wire, messages: Sequence[Mapping[str, Any]], limit: int) -> tuple[str, str, Usage]:
    """A greedy answer to messages: its text, why it ended, and what the server counts."""
    parts, reason, usage = [], "stop", Usage()
    async for piece in upstream_chat.write(wire, messages, {"max_tokens": limit, "temperature": 0}):
        parts.append(piece.text)
        if piece.reason is not None:
            reason, usage = piece.reason, piece.usage
    return "".join(parts).strip(), reason, usage


async def _patiently(ask: Callable[[], Awaitable[Replayed]]) -> Replayed:
    """Ask again while the server has too much to do: a replay asks more at once than people do."""
    for tried in range(1, TRIES):
        try:
            return await ask()
        except UpstreamError as error:
            if error.code != "upstream_down" or error.gone:
                raise
            await asyncio.sleep(min(error.retry_after * 2 ** (tried - 1), LONGEST_WAIT))
    return await ask()


@asynccontextmanager
async def _wired(upstream: Upstream) -> AsyncIterator[Wire]:
    wire = Wire(upstream)
    try:
        yield wire
    finally:
        await wire.close()


def as_tokens(
    trained: Sequence[Replayed], answers: Sequence[Replayed], tokens_of: Callable[[str], Sequence[int]]
) -> list[Replayed]:
    """Answers that are known by their text alone, in tokens, to be compared: an equal text counts as equal tokens."""
    return [
        replace(theirs, tokens=ours.tokens if ours.text == theirs.text else tuple(tokens_of(theirs.text)))
        for ours, theirs in zip(trained, answers, strict=True)
    ]


def probes_by_text(
    given: Reference, answers: Sequence[Replayed], log_probabilities: LogProbabilities
) -> tuple[tuple[str, str], ...]:
    """The rows that a server asks again (`certificate.probes_of`), known by the texts of their answers. How sure an
    answer is the trained model says, since the upstream does not."""
    trained = [replace(one, tokens=()) for one in given.answers]
    sure = [
        min(log_probabilities(ours.prompt, ours.tokens, None)[0], default=0.0) if ours.text == theirs.text else 0.0
        for ours, theirs in zip(given.answers, answers, strict=True)
    ]
    return probes_of([row.id for row in given.rows], trained, answers, sure)
