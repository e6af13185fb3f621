"""One request to a server and what came of it: what every log, figure, rule and person looks at."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tunesmith.example import Message

Did = Literal["mask", "refuse", "hand_off"]
Where = Literal["before", "after"]


@dataclass(frozen=True)
class Action:
    """What a rule did to a request (``before`` the model) or to its answer (``after``). It holds no text of either."""

    rule: str
    did: Did
    where: Where


@dataclass
class Exchange:
    """One request. ``id`` is the ``x-request-id``; times ending in ``_at`` are seconds since 1970, the others seconds.

    ``prompt`` and ``answers`` are texts of people: who keeps or shows them masks them first. ``label``: what a
    classifier chose, for one text. ``confidence``: of the first answer, None where nothing was answered. ``waited``:
    for a turn at the model; ``first_token`` and ``total`` since the request came. ``status`` is that of HTTP, 499 where
    the client went away; ``error`` the code of a refusal. ``shadow``: the answer was not for the client.
    ``trace_parent``: the header of that name (W3C Trace Context), as it came.
    """

    id: str
    route: str
    key: str
    arrived_at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    asked_model: str = ""
    version: str = ""
    stream: bool = False
    prompt: tuple[Message, ...] = ()
    answers: list[str] = field(default_factory=list)
    label: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    confidence: float | None = None
    handed_off: bool = False
    ticket: str | None = None
    fits_schema: bool | None = None
    finish_reason: str | None = None
    waited: float = 0.0
    first_token: float | None = None
    last_token: float | None = None
    total: float | None = None
    actions: list[Action] = field(default_factory=list)
    status: int = 0
    error: str | None = None
    shadow: bool = False
    trace_parent: str | None = None

    def token_written(self) -> None:
        """Note when the first token came, and the latest."""
        now = time.monotonic() - self.began
        if self.first_token is None:
            self.first_token = now
        self.last_token = now
        self.completion_tokens += 1

    def end(self, status: int, error: str | None = None) -> None:
        """Note how it ended; the first word counts. A refusal that was noted before stays."""
        if self.total is None:
            self.status, self.error, self.total = status, error or self.error, time.monotonic() - self.began


class Recorder(Protocol):
    """Keeps what came of requests. When ``record`` returns, the record survives the end of the process.

    It is awaited before the last bytes of the answer leave (of a stream: before its ``[DONE]``), so it must be quick (a
    few milliseconds); what a client has got whole is therefore recorded.
    """

    async def record(self, exchange: Exchange) -> None: ...
