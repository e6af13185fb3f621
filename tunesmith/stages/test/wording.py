"""Metrics and numbers in words that need no statistics."""

from __future__ import annotations

from tunesmith.example import Score

_METRICS = {
    "accuracy": ("Accuracy", "share of rows with the right label"),
    "macro_f1": ("Macro-F1", "F1 of each label, all labels counting the same"),
    "valid_json": ("Valid JSON", "share of answers that a JSON parser reads"),
    "schema_valid": ("Fits the schema", "share of answers that the goal's JSON Schema accepts"),
    "exact_match": ("Exact match", "share of answers that are right in full"),
    "field_f1": ("Field F1", "mean over the fields; free text counts by the words it shares"),
    "rouge_l": ("ROUGE-L", "longest run of words in common with the reference, in order"),
    "chrf": ("chrF", "short pieces of spelling in common with the reference"),
    "rules_kept": ("Rules kept", "share of answers that break none of the goal's rules"),
    "token_accuracy": ("Token accuracy", "share of a text's tokens that are the likeliest, given those before"),
    "bits_per_byte": ("Bits per byte", "what it takes to tell a byte of the text; less is better, 8 is no knowledge"),
    "length_ratio": ("Length ratio", "length of the answer over that of the reference, in words; 1 is alike"),
}
_IN_SENTENCE = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "valid_json": "the share of valid JSON",
    "schema_valid": "the share that fits the schema",
    "exact_match": "the share of exact matches",
    "field_f1": "field F1",
    "length_ratio": "the length ratio",
    "token_accuracy": "token accuracy",
    "rules_kept": "the share that keeps the rules",
}
#: Measured as a multiple, not on a scale from 0 to 1.
RATIOS = frozenset({"length_ratio"})
#: Measured in bits, from none to eight and more.
BITS = frozenset({"bits_per_byte"})


def title(metric: str) -> str:
    """What the report calls a metric."""
    if metric.startswith("field_f1."):
        return metric.removeprefix("field_f1.")
    return _METRICS[metric][0] if metric in _METRICS else metric


def in_sentence(metric: str) -> str:
    """The metric's name inside a sentence."""
    if metric.startswith("field_f1."):
        return f"the score of the field “{title(metric)}”"
    return _IN_SENTENCE.get(metric, title(metric))


def explanation(metric: str) -> str:
    if metric.startswith("field_f1."):
        return "this field alone"
    return _METRICS[metric][1] if metric in _METRICS else ""


def number(metric: str, value: float) -> str:
    """A value: 0.913 is 91.3%; ratios are multiples, bits are bits."""
    if metric in BITS:
        return f"{value:.2f}"
    return f"{value:.2f}×" if metric in RATIOS else f"{100 * value:.1f}%"


def interval(score: Score) -> str:
    """The 95% interval of a score."""
    return f"{number(score.metric, score.low)} to {number(score.metric, score.high)}"


def points(value: float) -> str:
    """A difference in percentage points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def p_value(p: float) -> str:
    """A p-value inside a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def p_cell(p: float) -> str:
    """A p-value under the heading "p"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds(value: float) -> str:
    """A duration, in the unit that fits."""
    if value < 1:
        return f"{1000 * value:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def bytes_(value: float) -> str:
    """A size, in the unit that fits."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def plural(count: int, word: str) -> str:
    many = word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"
    return f"{count:,} {word if count == 1 else many}"
