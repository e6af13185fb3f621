"""Where the server failed is told, never with what words: an error's message may hold what a client wrote."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

log = logging.getLogger("tunesmith.server")


def places(error: BaseException) -> str:
    """The kind of an error and the lines that it went through; so of those that led to it."""
    told: list[str] = []
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        told.append(f"{type(following).__name__}\n{''.join(traceback.format_tb(following.__traceback__))}")
        following = following.__cause__ or following.__context__
    return "from: ".join(told)


def hold_back_words(loop: asyncio.AbstractEventLoop) -> None:
    """Have what nobody awaits or catches told without its words: by tasks, threads, and the process itself."""
    loop.set_exception_handler(_of_loop)
    threading.excepthook = _of_thread
    sys.excepthook = _of_process
    sys.unraisablehook = _of_clean_up


def _of_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is not None:
        log.error("a task failed: %s", places(error))


def _of_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("a thread failed: %s", places(failed.exc_value))


def _of_process(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    log.error("the server failed: %s", places(error))


def _of_clean_up(failed: sys.UnraisableHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("a clean-up failed: %s", places(failed.exc_value))
