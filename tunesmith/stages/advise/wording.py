"""Arms and numbers in words."""

from __future__ import annotations

#: Each arm by its word, in the user's words; from the simplest to the most work.
ARMS = {
    "bare": "your prompt alone",
    "prompt": "a better prompt",
    "examples": "a prompt with similar examples",
    "retrieval": "retrieval over your documents",
    "tuned": "the tuned model",
    "tuned_retrieval": "the tuned model with retrieval",
}
_METRICS = {"exact_match": "exact match", "rouge_l": "ROUGE-L", "chrf": "chrF", "macro_f1": "macro-F1"}


def metric_name(metric: str) -> str:
    """A metric inside a sentence."""
    return _METRICS.get(metric, metric.replace("field_f1", "field F1").replace("_", " "))


def points(value: float) -> str:
    """A difference in percentage points, without a sign."""
    return f"{100 * abs(value):.1f}"
