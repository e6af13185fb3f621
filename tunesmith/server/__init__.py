"""The trained models behind an OpenAI-compatible HTTP server."""
