"""Metrics for free text: ROUGE-L, chrF, exact match and the length ratio, by well-kept libraries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tunesmith.scoring.statistic import Mean, Statistic
from tunesmith.scoring.words import Tokenizer, words


def measure_prose(references: Sequence[str], answers: Sequence[str]) -> dict[str, Statistic]:
    """``rouge_l``, ``chrf``, ``exact_match`` (outer spaces aside), ``length_ratio``."""
    pairs = list(zip(references, answers, strict=True))
    exact = np.array([reference.strip() == answer.strip() for reference, answer in pairs], dtype=np.float64)
    ratios = np.array([len(words(answer)) / max(1, len(words(reference))) for reference, answer in pairs])
    return {
        "rouge_l": Mean(rouge_l(pairs)),
        "chrf": Mean(chrf(pairs)),
        "exact_match": Mean(exact),
        "length_ratio": Mean(ratios, bounds=(0.0, math.inf)),
    }


def rouge_l(pairs: Sequence[tuple[str, str]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """F-measure of the longest common subsequence of words, 0 to 1, for each (reference, answer).

    C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", 2004; the package rouge-score.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=Tokenizer())
    return np.array([scorer.score(reference, answer)["rougeL"].fmeasure for reference, answer in pairs], np.float64)


def chrf(pairs: Sequence[tuple[str, str]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """F-score of character n-grams, 0 to 1, for each (reference, answer).

    M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", 2015; the package sacrebleu.
    """
    from sacrebleu.metrics import CHRF

    scorer = CHRF()
    return np.array([scorer.sentence_score(answer, [reference]).score / 100 for reference, answer in pairs], np.float64)
