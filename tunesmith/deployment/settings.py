"""Settings of the model at work."""

from __future__ import annotations

from tunesmith.settings import Settings


class ServeSettings(Settings):
    """How the model is served and watched."""
