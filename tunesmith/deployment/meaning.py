"""How far the meaning of a request lies from the training inputs: found out beside the server's work, for a part."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache

from tunesmith.deployment.profile import Profile
from tunesmith.deployment.state import State
from tunesmith.similarity.embeddings import Vectors
from tunesmith.threads import look_through_no_more

#: Inputs that may wait; what comes while so many do is left out.
WAITING = 32
#: Characters of an input that are looked at; the encoder looks at no more words.
MOST = 2_000
#: The share of one core's time that it may take.
SHARE = 0.05

Embed = Callable[[Sequence[str]], Vectors]


class Distances:
    """A thread that finds the distance of requests and notes it in the log. Texts are in memory alone.

    ``profile_of`` gives the profile of a version, None where there is none; ``open_encoder`` what gives unit vectors
    ``[texts, dimensions]``. Both may take seconds, and are called on the thread when they are first needed.
    """

    def __init__(
        self,
        state: State,
        profile_of: Callable[[str], Profile | None],
        open_encoder: Callable[[], Embed | None],
    ) -> None:
        self._state = state
        self._profile_of = profile_of
        self._open_encoder = cache(lambda: _to_stay(open_encoder))
        self._waiting: queue.Queue[tuple[int, str, str] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="tunesmith-distances", daemon=True)
        self._closed = threading.Event()
        self._thread.start()

    def hear(self, number: int, version: str, text: str) -> None:
        """Take a request, unless too many wait already."""
        try:
            self._waiting.put_nowait((number, version, text[:MOST]))
        except queue.Full:
            pass

    def close(self) -> None:
        """End the thread; what still waits is left out."""
        self._closed.set()
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            pass
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while (heard := self._waiting.get()) is not None and not self._closed.is_set():
            began = time.monotonic()
            try:
                self._note(*heard)
            except Exception:  # a request without a distance is none the worse
                self._closed.wait(1.0)
            took = time.monotonic() - began
            self._closed.wait(min(60.0, took / SHARE - took))

    def _note(self, number: int, version: str, text: str) -> None:
        profile = self._profile_of(version)
        embed = self._open_encoder() if profile is not None and profile.centres else None
        if profile is None or embed is None:
            return
        [distance] = profile.distances(embed([text])).tolist()
        self._state.change(
            lambda connection: connection.execute(
                "UPDATE traffic SET distance = ? WHERE number = ?", (distance, number)
            )
        )


def _to_stay(open_encoder: Callable[[], Embed | None]) -> Embed | None:
    found = open_encoder()
    look_through_no_more()
    return found
