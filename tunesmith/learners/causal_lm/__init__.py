"""Text to text, label or JSON, by a causal language model with a LoRA adapter."""

SERVES = frozenset({("text", "text"), ("text", "json"), ("text", "label")})
BASES = frozenset({"causal_lm"})
BATCHES = "tree"
