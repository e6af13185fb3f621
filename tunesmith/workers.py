"""One batch a thread: the batches of a step are computed side by side, each on a core of its own.

Two threads that share each small product wait for one another some thousand times a step, and when
another process takes one of the cores both wait for it. Threads that each compute a whole batch meet once a
step. Results come back in the order of the batches whatever the threads do, so sums of them are the
same in every run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

#: Seconds after which a thread that waits for the interpreter is given it. Python's own 5 ms are as long as a layer's
#: product: threads that wait so long for each other take 5 to 8% more time for a step.
SWITCH_SECONDS = 5e-5

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many threads torch may use here: the cores that this process may run on, or what the user set."""
    import torch

    return torch.get_num_threads()


class Workers:
    """A context in which `map` computes with ``count`` threads, each with its share of the cores."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._cores = cores()
        self._switch = sys.getswitchinterval()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Workers:
        import torch

        if self.count > 1:
            self._switch = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
            each = max(1, self._cores // self.count)
            torch.set_num_threads(each)
            # OpenMP keeps the number of threads for each thread, so every one must be told.
            self._pool = ThreadPoolExecutor(self.count, "tunesmith", torch.set_num_threads, (each,))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        import torch

        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
            sys.setswitchinterval(self._switch)
            torch.set_num_threads(self._cores)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """``function`` of each item, in order; at most one item more than there are threads is ahead."""
        if self._pool is None:
            yield from map(function, items)
            return
        ahead: list[Future[Result]] = []
        for item in items:
            ahead.append(self._pool.submit(function, item))
            if len(ahead) > self.count:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()
