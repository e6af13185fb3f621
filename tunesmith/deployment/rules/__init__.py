"""Rules before and after the model: what a project's `serve.rules` asks for."""
