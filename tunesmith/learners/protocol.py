"""The shapes at the border of a learner: what it is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tunesmith.example import Example
from tunesmith.products import EncodedRow

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tunesmith.workers import Workers

Item = TypeVar("Item")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Refusal:
    """Why a row cannot be shown to the model. ``code`` is one of too_long, no_target, no_end_token, document."""

    code: str
    evidence: str


class Encoder(Protocol):
    """Turns examples into rows of tokens."""

    def encode(self, example: Example) -> EncodedRow | Refusal: ...

    def pieces(self, row: EncodedRow) -> list[tuple[str, bool]]:
        """The row as text, cut where trained and untrained tokens meet: (text, trained)."""
        ...


@dataclass(frozen=True)
class Prediction:
    """One answer. ``confidence`` in [0, 1]; ``finished`` is False when the length limit cut it.

    ``field_confidence``: of a JSON object, the probability of each short value at its top, in [0, 1].
    """

    text: str
    confidence: float
    tokens: int
    seconds: float
    finished: bool = True
    field_confidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Replayed:
    """An answer in tokens: ids of the prompt, ids of the answer without its end token, and the answer's text.

    ``logprobs`` are of the answer's tokens, None where an engine does not tell one; a reference leaves them out. For a
    label ``tokens`` is empty and ``scores`` has the probability of each label, by name.
    """

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    text: str
    finished: bool
    seconds: float
    logprobs: tuple[float | None, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenTree:
    """A batch of rows as one tree of tokens, laid out depth first. N nodes, T targets.

    ``tokens``: int64 [N]. ``positions``: int64 [N], the depth of each node. ``leave``: int64 [N];
    a node's index is its enter time, so node q sees node k when k <= q < leave[k].
    ``target_nodes``, ``target_tokens``: int64 [T]; ``target_weights``: float64 [T], the summed
    weight of the rows that go on from the node with that token. ``ids``: the rows; ``row_targets``:
    for each row the targets that are its own or shared with others, int64 each.
    """

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]
    leave: NDArray[np.int64]
    target_nodes: NDArray[np.int64]
    target_tokens: NDArray[np.int64]
    target_weights: NDArray[np.float64]
    ids: tuple[str, ...] = ()
    row_targets: tuple[NDArray[np.int64], ...] = ()

    @property
    def weight(self) -> float:
        return float(self.target_weights.sum())

    @property
    def computed(self) -> int:
        """How many tokens are computed for these rows."""
        return len(self.tokens)


@dataclass(frozen=True)
class PreferenceTree(TokenTree):
    """A tree that holds, for each row, the conversation with the chosen and the one with the rejected answer.

    ``pairs``: for each row its id, its weight, and the places in ``row_targets`` of chosen and rejected.
    """

    pairs: tuple[tuple[str, float, int, int], ...] = ()

    @property
    def weight(self) -> float:
        return sum(weight for _, weight, _, _ in self.pairs)


@dataclass(frozen=True)
class RowBatch:
    """Rows of similar length, for encoders."""

    rows: tuple[EncodedRow, ...]

    @property
    def weight(self) -> float:
        return float(sum(row.weight for row in self.rows))

    @property
    def computed(self) -> int:
        """How many tokens are computed for these rows, but for the few that fill up their bins (classifier)."""
        return sum(len(row.tokens) for row in self.rows)


class RowOutcome(NamedTuple):
    """How a model does on one row: the mean ``loss`` a target, and the share of its targets that are ``right``."""

    loss: float
    right: float


@dataclass(frozen=True)
class Outcome:
    """How a model does on batches. ``loss``: the summed cross-entropy (or preference loss). ``right``: the weight of
    the tokens, labels or pairs that it gets right, of the ``weight`` of all. ``rows``: each row's own, by its id."""

    loss: float
    right: float
    weight: float
    rows: Mapping[str, RowOutcome]

    @property
    def mean_loss(self) -> float:
        return self.loss / self.weight

    @property
    def accuracy(self) -> float:
        return self.right / self.weight


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome on all batches, summed in their order."""
    loss = right = weight = 0.0
    rows: dict[str, RowOutcome] = {}
    for one in outcomes:
        loss, right, weight = loss + one.loss, right + one.right, weight + one.weight
        rows.update(one.rows)
    return Outcome(loss, right, weight, rows)


class Peers(Protocol):
    """The processes that compute one optimizer step together (training/ranks.py), as a learner sees them."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that does what is done once for all."""
        ...

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of the items that are this process's: neighbours, in the order of processes."""
        ...

    def gather(self, own: Tensor) -> list[Tensor]:
        """Every process's tensor, in the order of processes. All must call it."""
        ...

    def broadcast(self, tensor: Tensor) -> Tensor:
        """Overwrite a tensor with the first process's, and return it. All must call it."""
        ...


class Trainable(Protocol):
    """A model ready to be trained, as the loop sees it."""

    def parameter_groups(self, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]: ...

    def gradients(self, batches: Sequence[Any], weight: float, workers: Workers, peers: Peers) -> Outcome:
        """Add to what is trained the gradient of the step's loss, the batches' sum over ``weight``.

        ``batches`` are all of the step's. The gradients of all ``peers`` add up to the step's, so each computes
        its share. Returns this process's part of the outcome before the step, to be told; each row is in one
        process's. The sums are in the order of the batches, so that they are the same whichever worker is first.
        """
        ...

    def measure(self, batch: Any) -> Outcome:
        """The outcome on one batch, without dropout."""
        ...

    def kept_bytes(self, batch: Any) -> int:
        """What a batch keeps in memory from its forward pass for its gradient, weights aside."""
        ...

    def checkpoint_activations(self, on: bool) -> bool:
        """Keep the inputs of layers alone for the gradient, and compute the layers again: the same numbers.

        Returns whether the model can.
        """
        ...

    def trained_state(self) -> dict[str, torch.Tensor]:
        """The tensors that training changes, by stable names."""
        ...

    def load_trained_state(self, state: Mapping[str, torch.Tensor]) -> None: ...

    def train(self, on: bool = True) -> None:
        """Switch dropout on or off."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model in the form that the ecosystem loads."""
        ...
