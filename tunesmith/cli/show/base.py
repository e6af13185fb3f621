"""`tunesmith show base`: the model to start from, and why this one."""

from __future__ import annotations

from tunesmith.cli.screen import Screen
from tunesmith.products import BaseModel

KINDS = {"causal_lm": "writes text (causal language model)", "encoder": "reads text (encoder)"}


def show(base: BaseModel, screen: Screen) -> None:
    """Show the base's facts and the reason for the choice."""
    screen.heading(base.name)
    screen.say(base.reason, wrap=True)
    screen.pairs(
        [
            ("kind", KINDS[base.kind]),
            ("parameters", f"{base.parameters:,}"),
            ("context", f"{base.context:,} tokens"),
            ("languages", ", ".join(base.languages)),
            ("licence", base.licence),
            ("source", base.source),
            ("sha256", base.sha256),
            ("folder", base.folder),
        ]
    )
