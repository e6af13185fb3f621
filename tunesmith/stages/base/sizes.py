"""How large a fresh model and its vocabulary are where the user leaves it to us."""

from __future__ import annotations

import math

from tunesmith.stages.base.choose import CORE_FLOPS, CUDA_FLOPS, PATIENCE
from tunesmith.stages.base.machine import Machine

SMALLEST_VOCABULARY, LARGEST_VOCABULARY = 512, 32_768
SMALLEST = 300_000  # parameters; below that even a few rows are learned worse
PARAMETERS_A_CHARACTER = 3
CHARACTERS_A_TOKEN = 3  # of a small vocabulary
PASSES = 8  # over the training text, see training/recipe.py


def vocabulary_for(characters: int, parameters: int | None = None) -> int:
    """How many tokens, by the characters of training text: 4 √characters, a multiple of 64.

    The number of different words in a text grows about with the root of its length (Heaps' law). Of a model whose
    size is given the embedding should not be more than about half.
    """
    wanted = 64 * round(4 * math.sqrt(characters) / 64)
    if parameters is not None:
        wanted = min(wanted, parameters // 256)
    return max(SMALLEST_VOCABULARY, min(LARGEST_VOCABULARY, wanted))


def parameters_for(characters: int, machine: Machine) -> int:
    """How many weights: 3 a character of training text, at most what this machine trains in 20 minutes.

    Training takes 6 floating-point operations a parameter and token (arXiv:2001.08361, section 2.1). Two digits count.
    """
    rate = CUDA_FLOPS if machine.cuda else machine.cores * CORE_FLOPS
    in_time = PATIENCE * rate / (6 * PASSES * max(1, characters) / CHARACTERS_A_TOKEN)
    wanted = max(SMALLEST, min(PARAMETERS_A_CHARACTER * characters, in_time))
    return int(float(f"{wanted:.1e}"))
