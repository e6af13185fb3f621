"""What a curve of validation accuracies says, in the words for it."""

from __future__ import annotations

import pytest

from tunesmith.training.verdict import judge_accuracy


def curve(*accuracies: float) -> list[dict[str, float]]:
    return [{"step": 10 * place, "validation_accuracy": value} for place, value in enumerate(accuracies)]


@pytest.mark.parametrize(
    ("accuracies", "best", "n", "code"),
    [
        ((0.50, 0.80, 0.85, 0.86), 30, 400, "learned"),
        ((0.61, 0.52, 0.57, 0.59), 30, 44, "little_gained"),  # within chance of where it started
        ((0.05, 0.06, 0.05, 0.06), 30, 100, "did_not_learn"),
        ((0.50, 0.90, 0.85, 0.60), 10, 100, "overfitting"),
        ((0.30, 0.40, 0.50, 0.75), 30, 100, "still_learning"),
    ],
)
def test_a_classifiers_curve_gets_the_words_it_deserves(accuracies, best, n, code):
    verdict = judge_accuracy(curve(*accuracies), 30, best, n, guess=0.06)
    assert verdict.code == code
    assert f"{accuracies[0]:.1%} before the encoder was tuned" in verdict.words
