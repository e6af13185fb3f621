"""The stage `advise`: prompt, retrieval, fine-tuning or both, by measurement."""
