"""Which rows form which optimizer step: a function of the seed and the step's number alone.

There is no state: any step can be drawn without those before it, so a resumed run draws the same
rows. Every epoch holds each row once; its last batch may be smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tunesmith.products import EncodedRow

#: Rows of one label are paired with a neighbour in length among this many.
NEIGHBOURS = 16
#: Batches of like length are made among this many at a time.
BATCHES_AT_ONCE = 8


def steps_in_epoch(rows: int, batch_size: int) -> int:
    return -(-rows // batch_size)


class Sampler:
    """Draws the rows of each step. With labels (a classifier) rows come in pairs of one label.

    The contrast between the rows of a batch (learners/classifier/loss.py) needs partners; pairs and
    batches are of like length, so that little is padded.
    """

    def __init__(self, rows: Sequence[EncodedRow], batch_size: int, seed: int) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.seed = seed
        self.paired = bool(rows) and rows[0].label is not None
        self._epoch = lru_cache(maxsize=1)(self._draw)

    def step(self, step: int) -> list[EncodedRow]:
        """The rows of optimizer step ``step``, from 0, counted over all epochs."""
        epoch, place = divmod(step, steps_in_epoch(len(self.rows), self.batch_size))
        return [self.rows[index] for index in self._epoch(epoch)[place]]

    def _draw(self, epoch: int) -> list[list[int]]:
        random = np.random.default_rng([self.seed, epoch])
        if self.paired:
            return self._pairs(random)
        order = [int(index) for index in random.permutation(len(self.rows))]
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]

    def _pairs(self, random: np.random.Generator) -> list[list[int]]:
        length = [len(row.tokens) for row in self.rows]
        by_label: dict[int | None, list[int]] = {}
        for index in random.permutation(len(self.rows)):
            by_label.setdefault(self.rows[int(index)].label, []).append(int(index))
        pairs: list[list[int]] = []
        for members in by_label.values():
            for start in range(0, len(members), NEIGHBOURS):
                near = sorted(members[start : start + NEIGHBOURS], key=lambda index: length[index])
                pairs += [near[place : place + 2] for place in range(0, len(near), 2)]
        pairs = [pairs[int(index)] for index in random.permutation(len(pairs))]
        window = max(1, self.batch_size // 2 * BATCHES_AT_ONCE)
        ordered = [
            index
            for start in range(0, len(pairs), window)
            for pair in sorted(pairs[start : start + window], key=lambda pair: length[pair[-1]])
            for index in pair
        ]
        batches = [ordered[start : start + self.batch_size] for start in range(0, len(ordered), self.batch_size)]
        return [batches[int(index)] for index in random.permutation(len(batches))]
