"""Tell of steps that take a while and are no stage's: what is being done, how far it is, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tunesmith.cli.screen import Screen
from tunesmith.events import Pace, duration

#: Where nothing can be written over, a line each so many seconds.
SECONDS_BETWEEN_LINES = 10.0
#: What is being done, how many rows of it are done, and of how many; 0 of 0 where there are none.
Tell = Callable[[str, int, int], None]


@contextmanager
def telling(screen: Screen, first: str) -> Iterator[Tell]:
    """A function that tells of a step: in a terminal in one line, elsewhere when it begins and now and then."""
    with screen.waiting(f"{first} …") as status:
        step, pace, last = "", Pace(None), 0.0
        told = time.monotonic()

        def tell(what: str, done: int, total: int) -> None:
            nonlocal step, pace, last, told
            begins = what != step
            if begins:
                step, pace, last = what, Pace(total), time.monotonic()
                # one that is told when some of it is done began when the one before was told last
                pace.started = told if done else last
            told = time.monotonic()
            left = pace.seconds_left(done)
            far = f" {done:,} of {total:,} rows" if total and done else ""
            text = f"{what} …{far}" + (f", {duration(left)} left" if left and done < total else "")
            if hasattr(status, "update"):
                status.update(text)
            elif begins or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                screen.say(text, "dim")

        yield tell
