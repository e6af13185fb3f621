"""Tunesmith: from a file of examples to a tested, tailored model that you own."""
