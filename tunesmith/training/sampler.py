"""Which rows form which optimizer step: a fresh permutation each epoch, a function of the seed alone."""

from __future__ import annotations

import numpy as np


def steps_in_epoch(rows: int, batch_size: int) -> int:
    return -(-rows // batch_size)


def batch_rows(rows: int, batch_size: int, seed: int, step: int) -> list[int]:
    """Row numbers of optimizer step ``step`` (from 0, counted over all epochs).

    No state: any step can be drawn without drawing those before it, so a resumed run draws the
    same rows. Every epoch holds each row once; its last batch may be smaller.
    """
    in_epoch = steps_in_epoch(rows, batch_size)
    epoch, place = divmod(step, in_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return [int(row) for row in order[place * batch_size : (place + 1) * batch_size]]
