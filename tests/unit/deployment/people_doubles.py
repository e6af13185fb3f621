"""Requests as they come to people, and what is said of them."""

from __future__ import annotations

from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.feedback import Said
from tunesmith.example import Message


def exchange(id: str = "req-1", text: str = "Where is my tent?", **more: Any) -> Exchange:
    prompt = (Message.of("user", text),)
    given = {"version": "desk@3f2a", "prompt": prompt, "answers": ["It is late."], "confidence": 0.4, "status": 200}
    return Exchange(id, "/v1/chat/completions", "website", **{**given, **more})


def said(request: str = "req-1", **more: Any) -> Said:
    return Said(request, **{"thumb": "down", "comment": "wrong", **more})
