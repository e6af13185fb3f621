"""The ranks that torchrun, or a launcher that sets the same environment, started.

They talk in two ways. What the arithmetic needs goes through torch.distributed: `gloo` for tensors in the
memory of the CPU, `nccl` for those on a GPU (unchecked). While the first rank works alone, for
minutes or hours, the others look for its next order in the launcher's key-value store, and can be stopped meanwhile.
Nothing is pickled: facts are JSON, tensors are their bytes.

A rank that is gone is noticed at once, since its connections close; one that hangs, after ``TIMEOUT``.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tunesmith.errors import TunesmithError
from tunesmith.launch import Place, place
from tunesmith.training.ranks import ALONE, Ranks
from tunesmith.workers import cores

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Longer than any rank has to wait for another that is at work: a checkpoint's writing, a model's loading.
TIMEOUT = timedelta(minutes=10)
#: How long the end of a run waits for a word from ranks that may be gone, in seconds.
LAST_WORD = 5.0
#: How long a rank that is told to stop waits for the first's own end, in seconds; torchrun kills after 30.
FAREWELL = 20.0
POLL = 0.1
#: Numbers that are added up at once, which bounds the memory that a sum needs. DistributedDataParallel takes 25 MB.
BUCKET = 2**23
#: Bytes of facts that are exchanged at once, the length at their head: a step's losses take 2,000.
LETTER = 8192
HEAD = 8
#: Numbers the times that this process joined others, as all of them do: what was said before is not heard again.
_times = itertools.count()


@contextmanager
def joined(timeout: timedelta = TIMEOUT) -> Iterator[Ranks]:
    """Meet the processes that were launched with this one; `ALONE` where there are none.

    When the first rank leaves the block, however it does, the others' orders end.
    """
    where = place()
    if where is None:
        yield ALONE
        return
    ranks = TorchRanks(where, timeout)
    try:
        yield ranks
    finally:
        ranks.leave()


class TorchRanks(Ranks):
    """One of several processes. See `Ranks` for what each method promises."""

    def __init__(self, where: Place, timeout: timedelta = TIMEOUT) -> None:
        import torch
        from torch import distributed
        from torch.distributed.distributed_c10d import PrefixStore
        from torch.distributed.rendezvous import rendezvous

        self.rank, self.size, self.machines = where.rank, where.size, where.size // where.local_size
        self._local_size = where.local_size
        self._timeout = timeout
        self._orders = 0
        with self._explained("did not find each other"):
            store, _, _ = next(rendezvous("env://", timeout=timeout))  # type: ignore[no-untyped-call]
            self._store = PrefixStore(f"tunesmith-{next(_times)}", store)
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
                store=PrefixStore("collectives", self._store),
                rank=self.rank,
                world_size=self.size,
                timeout=timeout,
            )

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        import torch
        from torch import distributed

        for bucket in _buckets(parameters):
            own = [torch.zeros_like(one) if one.grad is None else one.grad for one in bucket]
            held = own[0].new_tensor([float(one.grad is not None) for one in bucket], dtype=torch.float32)
            summed = torch.cat([*(gradient.float().flatten() for gradient in own), held])
            with self._explained():
                distributed.all_reduce(summed)
            *parts, held = summed.split_with_sizes([*(one.numel() for one in bucket), len(bucket)])
            for one, part, ranks in zip(bucket, parts, held.tolist(), strict=True):
                one.grad = part.view_as(one).to(one.dtype) if ranks else None

    def gather(self, own: Tensor) -> list[Tensor]:
        from torch import distributed

        parts = [own.new_empty((length, *own.shape[1:])) for length in self.gather_facts(len(own))]
        parts[self.rank] = own.contiguous()
        with self._explained():
            for rank, part in enumerate(parts):
                distributed.broadcast(part, rank)
        return parts

    def gather_facts(self, own: Any) -> list[Any]:
        import torch
        from torch import distributed

        message = _message(own)
        heard = [torch.empty_like(message[:LETTER]) for _ in range(self.size)]
        with self._explained():
            distributed.all_gather(heard, message[:LETTER].contiguous())
            longest = max(map(_length, heard))
            if longest > LETTER:
                rest = message.new_zeros(longest - LETTER)
                rest[: len(message) - LETTER] = message[LETTER:]
                more = [torch.empty_like(rest) for _ in range(self.size)]
                distributed.all_gather(more, rest)
                heard = [torch.cat(pages) for pages in zip(heard, more, strict=True)]
        return list(map(_facts, heard))

    def broadcast(self, tensor: Tensor) -> Tensor:
        from torch import distributed

        whole = tensor.contiguous()
        with self._explained():
            distributed.broadcast(whole, 0)
        return tensor if whole is tensor else tensor.copy_(whole)

    def tell(self, facts: Any) -> Any:
        import torch

        message = _message(facts)
        heard = self.broadcast(message[:LETTER].clone())
        if _length(heard) > LETTER:
            rest = message[LETTER:] if self.first else torch.empty(_length(heard) - LETTER, dtype=torch.uint8)
            heard = torch.cat([heard, self.broadcast(rest)])
        return _facts(heard)

    def spread(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        import torch

        kinds = {name: [str(one.dtype).removeprefix("torch."), *one.shape] for name, one in tensors.items()}
        return {
            name: self.broadcast(
                tensors[name].contiguous() if self.first else torch.empty(shape, dtype=getattr(torch, dtype))
            )
            for name, (dtype, *shape) in self.tell(kinds).items()
        }

    def hold_together(self, tensors: Mapping[str, Tensor]) -> None:
        digest = hashlib.sha256()
        for name in sorted(tensors):
            digest.update(_raw(tensors[name]))
        found = self.gather_facts(digest.hexdigest())
        differing = [str(rank) for rank, one in enumerate(found) if one != found[0]]
        if differing:
            raise TunesmithError(
                "training_ranks_differ",
                f"the weights are no longer the same: those of rank {', '.join(differing)} are not those of rank 0",
                fix="run all of them on machines of one kind with the same versions; the last checkpoint is good",
            )

    @contextmanager
    def threads(self) -> Iterator[None]:
        import torch

        before = cores()
        if "OMP_NUM_THREADS" not in os.environ:  # else the user's own word for each process
            torch.set_num_threads(max(1, before // self._local_size))
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def order(self, facts: Mapping[str, Any] | None) -> None:
        self._store.set(f"order-{self._orders}", json.dumps(facts))
        self._orders += 1

    def orders(self, stopping: Callable[[], bool]) -> Iterator[Any]:
        """What the first rank orders, until it leaves. Raises TunesmithError when it is gone without a word."""
        while (order := self._next_order(stopping)) is not None:
            yield order

    def _next_order(self, stopping: Callable[[], bool]) -> Any:
        key = f"order-{self._orders}"
        until = float("inf")
        with self._explained():
            while not self._store.check([key]):
                if stopping():
                    until = min(until, time.monotonic() + FAREWELL)
                if time.monotonic() > until:
                    raise self._lost("rank 0 did not end")
                time.sleep(POLL)
            self._orders += 1
            return json.loads(self._store.get(key))

    def fail(self, error: Exception) -> bool:
        """Say what went wrong in this rank, and give up. Returns whether the first rank has ended, too."""
        words = [f"{type(error).__name__}: {error}", "", ""]
        if isinstance(error, TunesmithError):
            words = [error.what, error.where, error.fix]
        with suppress(RuntimeError):
            self._store.set(f"failed-{self.rank}", json.dumps(words))
            self._close()
            return self._told_within(LAST_WORD, [f"order-{self._orders}"])
        return False

    def leave(self) -> None:
        """End this rank's part. The first waits until the others know of it: it may be the one that holds the store."""
        with suppress(RuntimeError):
            if self.first:
                self.order(None)
                self._close()
                self._told_within(LAST_WORD, [f"left-{rank}" for rank in range(1, self.size)])
            else:
                self._close()
                self._store.set(f"left-{self.rank}", "")

    def _told_within(self, seconds: float, keys: list[str]) -> bool:
        until = time.monotonic() + seconds
        while not (told := self._store.check(keys)) and time.monotonic() < until:
            time.sleep(POLL)
        return bool(told)

    def _close(self) -> None:
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()

    @contextmanager
    def _explained(self, what: str = "") -> Iterator[None]:
        """Turn an error of torch.distributed into words: it says that a connection closed, not why."""
        try:
            yield
        except RuntimeError as error:
            raise (self._failure() if not what and self.first else None) or self._lost(what) from error

    def _failure(self) -> TunesmithError | None:
        """What another rank said before it gave up."""
        with suppress(RuntimeError):
            for rank in range(1, self.size):
                if self._told_within(POLL, [f"failed-{rank}"]):  # it is said before the connections are closed
                    what, where, fix = json.loads(self._store.get(f"failed-{rank}"))
                    return TunesmithError("training_rank_failed", f"rank {rank}: {what}", where, fix)
        return None

    def _lost(self, what: str) -> TunesmithError:
        seconds = self._timeout.total_seconds()
        return TunesmithError(
            "training_rank_lost",
            f"the processes that were launched together "
            f"{what or f'lost one of them: it ended, or did not answer for {seconds:,.0f} seconds'}",
            f"rank {self.rank} of {self.size}",
            "see what it said last, and run the same command again: training goes on from the last checkpoint",
        )


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Neighbours of `BUCKET` numbers together, and larger ones by themselves."""
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter in parameters:
        if bucket and size + parameter.numel() > BUCKET:
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.numel()
    if bucket:
        yield bucket


def _message(facts: Any) -> Tensor:
    """Facts as bytes: how many there are, then JSON; at least a letter's, so that one exchange does for most."""
    import torch

    text = json.dumps(facts).encode()
    whole = len(text) + HEAD
    return torch.frombuffer(bytearray(whole.to_bytes(HEAD, "little") + text).ljust(LETTER, b" "), dtype=torch.uint8)


def _length(message: Tensor) -> int:
    return int.from_bytes(message[:HEAD].numpy().tobytes(), "little")


def _facts(message: Tensor) -> Any:
    return json.loads(message[HEAD : _length(message)].numpy().tobytes())


def _raw(tensor: Tensor) -> bytes:
    import torch

    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
