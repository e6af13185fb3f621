"""Text to label, by an encoder with a classification head, all weights tuned."""

SERVES = frozenset({("text", "label")})
BASES = frozenset({"encoder"})
BATCHES = "rows"
