"""What a plain random split would have leaked."""

from __future__ import annotations

import random

import numpy as np

from tunesmith.stages.split.rows import TEST, TRAIN, VALIDATION, Ints
from tunesmith.stages.split.settings import SplitSettings


def random_would_leak(group: Ints, settings: SplitSettings, seed: int) -> int:
    """Number of test rows that would have had a row of their own group in training ``group [rows]``."""
    order = list(range(len(group)))
    random.Random(f"random {seed}").shuffle(order)
    tested, validated = round(settings.test * len(group)), round(settings.validation * len(group))
    part = np.full(len(group), TRAIN)
    part[order[:tested]] = TEST
    part[order[tested : tested + validated]] = VALIDATION
    trained = np.zeros(int(group.max()) + 1, np.bool_)
    trained[group[part == TRAIN]] = True
    return int(trained[group[part == TEST]].sum())
