"""The keys and values of tokens already seen, in buffers with room to spare.

transformers' own cache makes a longer copy at each token; here a token is written in place, in
a buffer that has room from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, [rows, heads, tokens, size] views of buffers for ``room`` tokens."""

    def __init__(self, room: int = 0, keys: Tensor | None = None, values: Tensor | None = None) -> None:
        super().__init__()
        self._room = room
        self._buffers: list[Tensor] = []
        if keys is not None and values is not None:
            self.lazy_initialization(keys, values)
            self.keys, self.values = keys, values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        used, new = self.keys.shape[2], key_states.shape[2]
        if not self._buffers or self._buffers[0].shape[2] < used + new:
            self._room = self._room if self._room >= used + new else 3 * (used + new) // 2
            self._buffers = [_grown(old, self._room) for old in (self.keys, self.values)]
        keys, values = self._buffers
        keys[:, :, used : used + new] = key_states
        values[:, :, used : used + new] = value_states
        self.keys, self.values = keys[:, :, : used + new], values[:, :, : used + new]
        return self.keys, self.values

    def move(self, moves: Sequence[tuple[int, int]], rows: int) -> None:
        """Copy rows within the buffers, each (from, to); ``rows`` are left."""
        used = self.keys.shape[2]
        for start, end in moves:
            self.keys[end], self.values[end] = self.keys[start], self.values[start]
        self._buffers = [buffer[:rows] for buffer in self._buffers]
        self.keys, self.values = (buffer[:, :, :used] for buffer in self._buffers)


def _grown(old: Tensor, room: int) -> Tensor:
    buffer = old.new_empty(old.shape[0], old.shape[1], room, old.shape[3])
    buffer[:, :, : old.shape[2]] = old
    return buffer


def empty_cache(room: int) -> Cache:
    """A cache for the first tokens of a prompt, with room for as many."""
    return Cache(layer_class_to_replicate=partial(RoomyLayer, room))


def repeated(cache: Cache, rows: int, room: int) -> Cache:
    """A copy of a one-row cache for a batch of ``rows``, with room for as many tokens; the original stays as it is."""
    return Cache(
        layers=[
            RoomyLayer(room, layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1))
            for layer in cache.layers
        ]
    )


def keep_rows(cache: Cache, kept: Sequence[int]) -> list[int]:
    """Drop the rows of a batch that have ended; ``kept``: those that stay, ascending.

    Returns which row is now at each place: the last ones take the places of those that have gone, so
    that little is copied and nothing allocated.
    """
    places = set(kept)
    holes = [place for place in range(len(kept)) if place not in places]
    moved = [row for row in kept if row >= len(kept)]
    moves = list(zip(moved, holes, strict=True))
    for layer in cache.layers:
        layer.move(moves, len(kept))
    order = list(range(len(kept)))
    for start, end in moves:
        order[end] = start
    return order
