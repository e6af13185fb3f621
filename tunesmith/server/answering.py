"""One answer while it is written: its text, its tokens, why it ended, how sure the model is."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from tunesmith.answering.confidence import choices_of, sure_of
from tunesmith.deployment.guard import Stopped, Task
from tunesmith.generation import Sampling, WrittenToken
from tunesmith.json_schema import SlowPattern, validator
from tunesmith.server.call import Call
from tunesmith.server.calling import Calling
from tunesmith.server.growing_text import GrowingText
from tunesmith.server.served import ServedText
from tunesmith.server.version import Version
from tunesmith.tool_calls import ToolCall, Tools


@dataclass(frozen=True)
class Piece:
    """What can be sent: text that is settled, the token that was written, None for what was held back, and calls of
    tools that are whole."""

    text: str
    token: WrittenToken | None
    calls: Sequence[ToolCall] = ()


#: Checkers of schemas by the version's name; few versions are served at once.
_CHECKERS: dict[str, Any] = {}
_MOST_CHECKERS = 32


def fits(version: str, schema: Mapping[str, Any], text: str) -> bool:
    """Whether a text is JSON of a version's schema. A pattern that takes too long counts as one that does not fit."""
    if version not in _CHECKERS:
        if len(_CHECKERS) >= _MOST_CHECKERS:
            _CHECKERS.clear()
        _CHECKERS[version] = validator(schema)
    try:
        return bool(_CHECKERS[version].is_valid(json.loads(text)))
    except (ValueError, RecursionError, SlowPattern):
        return False


def fits_goal(version: Version, asked: Mapping[str, Any] | None, text: str) -> bool | None:
    """Whether a text is JSON of the goal's schema; None where the goal has none, or the client asked for another."""
    goal = version.goal
    if goal.output != "json" or goal.schema is None or asked not in (None, goal.schema):
        return None
    return fits(version.full_name, goal.schema, text)


class Answering:
    """Read `pieces` to the end; then ``finish_reason``, ``confidence``, ``text`` and ``calls`` are known.

    ``tools``: what the model was told that it may call. What leaves passes the rules of the project. Where one stops
    the answer, its own text is the last piece, as a paragraph of its own behind what has left already; who reads it
    `whole` gets that text alone.
    """

    def __init__(
        self,
        served: ServedText,
        call: Call,
        prompt: Sequence[int],
        sampling: Sampling,
        task: Task,
        stops: Sequence[str] = (),
        *,
        strip: bool = True,
        tools: Tools | None = None,
    ) -> None:
        self._served = served
        self._call = call
        self._exchange = call.exchange
        self._window = served.site.guard.around(call.exchange, task)
        self._prompt = prompt
        self._sampling = sampling
        self._calling, text_of = _calling(served, call, prompt, task, tools)
        self._text = GrowingText(text_of, stops, strip=strip)
        self._has_text = False
        self._nats = 0.0
        self._steps = 0
        self.tokens: list[WrittenToken] = []
        self.finish_reason = "length"
        self.text = ""
        self._stopped: Stopped | None = None

    @property
    def confidence(self) -> float:
        """How sure the model is, as in the test: of JSON whose schema lists values, the probability of all choices
        together; else the geometric mean of the probabilities of the tokens written, the end token included."""
        mean = math.exp(self._nats / max(1, self._steps))
        fields = choices_of(self._served.version.goal)
        if not fields or self.calls:
            return mean
        tokens = [token.id for token in self.tokens]
        nats = [token.log_probability for token in self.tokens]
        return sure_of(fields, mean, self._served.codec.field_confidence(tokens, nats))

    @property
    def calls(self) -> list[ToolCall]:
        """Calls of tools that the model makes; none where a rule stopped the answer."""
        return self._calling.calls if self._calling is not None and self._stopped is None else []

    @property
    def fits_schema(self) -> bool | None:
        """Whether the answer is JSON of the goal's schema, as of `fits_goal`."""
        if self.calls or self.finish_reason == "content_filter":
            return None
        return fits_goal(self._served.version, self._sampling.schema, self.text)

    @property
    def prompt_tokens(self) -> int:
        return len(self._prompt)

    @property
    def completion_tokens(self) -> int:
        return len(self.tokens)

    def entries(self, piece: Piece | None = None) -> list[dict[str, Any]]:
        """The tokens of a piece, or of the whole answer, as chat tells them."""
        if piece is not None:
            return [token_entry(self._served, piece.token)] if piece.token else []
        return [token_entry(self._served, token) for token in self.tokens]

    async def pieces(self) -> AsyncIterator[Piece]:
        """What may leave, token by token. The model is stopped where a rule or a stop of the client ends the answer."""
        async with aclosing(self._written()) as written:
            async for text, token in written:
                yield self._out(self._let_out(text), token, self._calling.free() if self._calling else ())
                if self._window.stopped:
                    break
                if self._calling is not None and self._calling.is_over:
                    self.finish_reason = "stop"
                    break
        stopped = self._window.stopped
        if stopped is None:
            last, stopped = await self._rest()
            yield last
        if stopped is not None:
            self._stopped = stopped
            self.finish_reason = "content_filter"
            self._exchange.actions.append(stopped.action)
            yield self._out(f"\n\n{stopped.text}" if self.text else stopped.text, None)
        elif self.calls and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"

    def _let_out(self, text: str) -> str:
        """What the rules let out of what was written; calls of tools are no part of it."""
        if self._calling is not None:
            text = self._calling.add(text)
        self._has_text = self._has_text or bool(text)
        return self._window.add(text)

    async def _rest(self) -> tuple[Piece, Stopped | None]:
        """The end of the answer, and what stops it there."""
        calling = self._calling
        if calling is None:
            return self._out(await self._window.end(), None), self._window.stopped
        left = calling.end()
        text = self._window.add(left)
        if self._has_text or left or not calling.found:  # calls alone are no answer that rules could find too short
            text += await self._window.end()
        if self._window.stopped is not None:
            return self._out(text, None), self._window.stopped
        calls, masked, stopped = await calling.checked()
        return self._out(text + masked, None, calls), stopped

    def _out(self, text: str, token: WrittenToken | None, calls: Sequence[ToolCall] = ()) -> Piece:
        self.text += text
        return Piece(text, token, calls)

    async def _written(self) -> AsyncGenerator[tuple[str, WrittenToken | None]]:
        """What each token lets out of the text that the model writes."""
        async with aclosing(self._served.engine.write(self._prompt, self._sampling)) as written:  # type: ignore[type-var]
            async for token in written:
                self._steps += 1
                self._nats += token.log_probability
                self._call.token_written()
                if token.is_end:
                    self.finish_reason = "stop"
                    break
                self.tokens.append(token)
                yield self._text.add(token.id), token
                if self._text.stopped:
                    self.finish_reason = "stop"
                    return
        yield self._text.end(), None

    async def whole(self) -> Answering:
        async for _ in self.pieces():
            pass
        if self._stopped is not None:
            self.text = self._stopped.text
        return self


def _calling(
    served: ServedText, call: Call, prompt: Sequence[int], task: Task, tools: Tools | None
) -> tuple[Calling | None, Callable[[Sequence[int]], str]]:
    """What reads the calls in an answer, and what gives its text with all that marks them."""
    codec = served.codec.tools if tools is not None else None
    if tools is None or codec is None:
        return None, served.codec.text_of
    reader = codec.reader(prompt, tools)
    return Calling(reader, served.site.guard, call.exchange, task, parallel=tools.parallel), codec.text_of


def token_entry(served: ServedText, token: WrittenToken) -> dict[str, Any]:
    """A token as chat tells it: text, bytes, log probability, and the likeliest in its place."""
    return {
        **_token(served.codec.piece(token.id), token.log_probability),
        "top_logprobs": [_token(served.codec.piece(id), value) for id, value in token.top],
    }


def _token(text: str, log_probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": log_probability, "bytes": list(text.encode("utf-8", "replace"))}
