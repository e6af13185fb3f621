"""A server with an OpenAI-compatible API as one who answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tunesmith.answering.answerer import Answerer, Prompt
from tunesmith.artifact import hash_of
from tunesmith.engines import openai_endpoint
from tunesmith.engines.openai_endpoint import Endpoint
from tunesmith.learners.protocol import Prediction, Progress


def of_endpoint(endpoint: Endpoint, system: str, *, max_new_tokens: int, name: str) -> Answerer:
    """The server, asked with this system prompt, unless a prompt has one of its own.

    What it is known by: url, model, options, system prompt and limit. A server that serves another model under the
    same name is not told from it. Its confidence is not known: 0.
    """

    def ask(prompts: Sequence[Prompt], on_progress: Progress) -> list[Prediction]:
        asked = [_messages(system, prompt) for prompt in prompts]
        replies = openai_endpoint.ask(endpoint, asked, max_tokens=max_new_tokens, on_progress=on_progress)
        return [Prediction(one.text, 0.0, one.tokens, one.seconds, one.finished) for one in replies]

    known = asdict(endpoint)
    same = {key: known[key] for key in ("url", "model", "options")}
    return Answerer(name, hash_of({"endpoint": same, "system": system, "max_new_tokens": max_new_tokens}), ask)


def _messages(system: str, prompt: Prompt) -> list[dict[str, str]]:
    found = [{"role": message.role, "content": message.text} for message in prompt]
    has_own = bool(found) and found[0]["role"] == "system"
    return found if has_own or not system else [{"role": "system", "content": system}, *found]
