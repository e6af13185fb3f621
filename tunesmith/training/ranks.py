"""Ranks: the processes that compute each optimizer step together. Here: one process alone.

Every rank holds the same weights and takes the same steps. Of a step's batches each computes its share; the
gradients are added up, and every rank makes the optimizer's step from the same sums. What is decided by
a clock, a disk or a user is decided by the first rank and told to the others, so that all do the same.

This is the whole seam: a loop that is given `ALONE` has nothing to do with any other process, and whatever
starts processes (`training/torch_ranks.py` for torchrun) gives it a subclass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Item = TypeVar("Item")


class Ranks:
    """One process: what each method says of several, done by one. Facts are whatever JSON can say.

    ``rank`` of ``size``, on so many ``machines``. All ranks must call the same methods in the same
    order, but for `share`, `lanes` and `order`, where nothing is exchanged or nobody waits.
    """

    rank = 0
    size = 1
    machines = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This rank's items: neighbours, in the order of ranks, each item in one rank."""
        start, end = (-(-len(items) * rank // self.size) for rank in (self.rank, self.rank + 1))
        return items[start:end]

    def lanes(self, workers: int) -> int:
        """How many batches to compute side by side: those of ``workers`` threads, or more, as many in each rank."""
        return self.workers(workers) * self.size

    def workers(self, workers: int) -> int:
        """This rank's threads, of so many in all ranks together."""
        return -(-workers // self.size)

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put in place of each parameter's gradient the sum of all ranks', the same bits in each.

        None stays where no rank has one.
        """

    def gather(self, own: Tensor) -> list[Tensor]:
        """Every rank's tensor, in the order of ranks. They may differ in their first dimension."""
        return [own]

    def gather_facts(self, own: Any) -> list[Any]:
        """What every rank has to say, in the order of ranks."""
        return [own]

    def broadcast(self, tensor: Tensor) -> Tensor:
        """Overwrite a tensor of one shape with the first rank's, and return it."""
        return tensor

    def tell(self, facts: Any) -> Any:
        """The first rank's facts, whatever the others bring."""
        return facts

    def spread(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The first rank's tensors by name, whatever the others bring."""
        return dict(tensors)

    def hold_together(self, tensors: Mapping[str, Tensor]) -> None:
        """Raise TunesmithError unless these tensors are the same bit for bit in all ranks."""

    def order(self, facts: Mapping[str, Any]) -> None:
        """Call the ranks that wait to a piece of work."""

    @contextmanager
    def threads(self) -> Iterator[None]:
        """While the block runs, compute with this rank's share of the machine's cores."""
        yield


ALONE = Ranks()
