"""The keys and values of tokens already seen, in buffers with room to spare.

transformers' own cache makes a longer copy at each token; here a token is written in place, and
the buffer doubles when it is full.
"""

from __future__ import annotations

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, [rows, heads, tokens, size] views of larger buffers."""

    def __init__(self, keys: Tensor | None = None, values: Tensor | None = None) -> None:
        super().__init__()
        self._buffers: list[Tensor] = []
        if keys is not None and values is not None:
            self.lazy_initialization(keys, values)
            self._hold(keys, values)

    def _hold(self, keys: Tensor, values: Tensor) -> None:
        self._buffers = []
        self.keys, self.values = keys, values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        used, new = self.keys.shape[2], key_states.shape[2]
        if not self._buffers or self._buffers[0].shape[2] < used + new:
            self._buffers = [_grown(old, 2 * (used + new)) for old in (self.keys, self.values)]
        keys, values = self._buffers
        keys[:, :, used : used + new] = key_states
        values[:, :, used : used + new] = value_states
        self.keys, self.values = keys[:, :, : used + new], values[:, :, : used + new]
        return self.keys, self.values


def _grown(old: Tensor, room: int) -> Tensor:
    buffer = old.new_empty(old.shape[0], old.shape[1], room, old.shape[3])
    buffer[:, :, : old.shape[2]] = old
    return buffer


def empty_cache() -> Cache:
    """A cache for the first tokens of a prompt."""
    return Cache(layer_class_to_replicate=RoomyLayer)


def repeated(cache: Cache, rows: int) -> Cache:
    """A copy of a one-row cache for a batch of ``rows``; the original stays as it is."""
    return Cache(
        layers=[
            RoomyLayer(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1))
            for layer in cache.layers
        ]
    )


def keep_rows(cache: Cache, rows: Tensor) -> None:
    """Drop the rows of a batch that have ended; ``rows``: int64, those that stay."""
    for layer in cache.layers:
        layer._hold(layer.keys.index_select(0, rows), layer.values.index_select(0, rows))
