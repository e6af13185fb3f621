"""Schemas of requests are compiled before the engine gets them: one at a time, and none for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tunesmith.server.refusal import Refusal

#: Seconds that a schema may take to be compiled, with its wait for those before it. The compiler bounds what a
#: pattern may cost; many patterns that must not overlap still take their time.
COMPILE_SECONDS = 10.0


class SchemaChecks:
    """``check`` compiles a schema and raises InputError for one that cannot be enforced.

    Compiling is beside the event loop and in one thread, so that whoever sends expensive schemas keeps one core busy
    at most.
    """

    def __init__(self, check: Callable[[Mapping[str, Any] | str], object], seconds: float = COMPILE_SECONDS) -> None:
        self._check = check
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, "tunesmith-schemas")

    async def warm(self) -> None:
        """Make what all schemas need, before the first request has to wait for it; what fails here is told there."""
        await asyncio.wait({asyncio.wrap_future(self._thread.submit(self._check, {"type": "object"}))})

    async def check(self, schema: Mapping[str, Any] | str) -> None:
        """``schema``: JSON Schema, or a grammar as `Sampling.grammar`.

        Raises InputError ``schema_not_enforceable``, and Refusal of this code where it takes too long.
        """
        compiling = self._thread.submit(self._check, schema)
        done, _ = await asyncio.wait({asyncio.wrap_future(compiling)}, timeout=self._seconds)
        if done:
            done.pop().result()
            return
        if compiling.cancel():  # those before it took so long
            raise Refusal(429, "queue_full", "other schemas are being compiled", retry_after=self._seconds)
        what = f"this JSON Schema takes more than {self._seconds:g} s to compile: simplify it"
        raise Refusal(400, "schema_not_enforceable", what, param="response_format")

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
