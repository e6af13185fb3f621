"""Both engines with a real model, a tiny one: the same prompt with tools, and calls that are kept to their schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.recipes.tiny_project import rows
from tests.tool_templates import HERMES
from tests.unit.server.test_tool_fields import CALLED
from tunesmith.deployment.exchange import Exchange
from tunesmith.engines import gguf_converter
from tunesmith.engines.llamacpp import LlamaCpp
from tunesmith.generation import Sampling
from tunesmith.learners.causal_lm.byte_level_bpe import save_tokenizer, train_tokenizer
from tunesmith.learners.causal_lm.fresh import ENDS, save_model
from tunesmith.learners.causal_lm.serve import Writer
from tunesmith.learners.causal_lm.shape import shape_for
from tunesmith.products import BaseModel, GoalSheet
from tunesmith.server import chat
from tunesmith.server.call import Call
from tunesmith.server.engines import TextEngine, TorchText
from tunesmith.server.keys import Key
from tunesmith.server.limits import Gate, Limiter
from tunesmith.server.llamacpp import LlamaCppText
from tunesmith.server.requests import ChatRequest
from tunesmith.server.served import ServedText
from tunesmith.server.site import Site
from tunesmith.server.version import Version

CONTEXT = 2048
SPELLED = "Köln: „größer“ 😀 日本語 привет ✓"
PARAMETERS = {
    "type": "object",
    "properties": {"place": {"enum": ["Köln", "Bonn"]}, "tent": {"type": "boolean"}},
    "required": ["place", "tent"],
    "additionalProperties": False,
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
NOW = {"type": "function", "function": {"name": "now"}}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    """A fresh model with a template of tools; what marks calls are special tokens."""
    folder = tmp_path_factory.mktemp("tools") / "base"
    tokenizer = train_tokenizer([row["text"] for row in rows()], 400)
    tokenizer.add_special_tokens(["<tool_call>", "</tool_call>"])
    save_tokenizer(tokenizer, CONTEXT, folder)
    ends = {name: tokenizer.token_to_id(token) for name, token in ENDS.items()}
    save_model(shape_for(60_000, tokenizer.get_vocab_size()), ends, CONTEXT, 0, folder)
    (folder / "chat_template.jinja").write_text(HERMES, encoding="utf-8")
    return BaseModel("tiny", "causal_lm", folder, 60_000, CONTEXT, "mit", ("en",), "made", "0" * 64, "", False)


async def written(engine: TextEngine, writer: Writer) -> list[int]:
    """The tokens of a text whose characters have several each."""
    wanted = Sampling(100, grammar=f"start: {json.dumps(SPELLED, ensure_ascii=False)}")
    async with aclosing(engine.write(writer.tokens.of_text("a"), wanted)) as tokens:  # type: ignore[type-var]
        return [token.id async for token in tokens]


async def answers(served: ServedText) -> list[dict[str, Any]]:
    """What comes of requests with tools, in one piece and as a stream."""
    asked: list[dict[str, Any]] = [
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"tool_choice": {"type": "function", "function": {"name": "now"}}},
        {"tool_choice": "required", "parallel_tool_calls": False, "temperature": 1.0, "seed": 1},
        {"messages": CALLED, "max_tokens": 4},
    ]
    found = []
    for more in asked:
        body = {"model": "tiny", "messages": CALLED[:1], "tools": [WEATHER, NOW], "max_tokens": 300, **more}
        call = Call(Key("a", "", 0.0), Exchange("req-1", "/", "a"), Limiter())
        found.append(await chat.complete(served, ChatRequest.model_validate(body), call))
    return found


@contextmanager
def by_torch(writer: Writer, folder: Path, cache: Path) -> Iterator[TextEngine]:
    yield TorchText(writer, [2])


@contextmanager
def by_llamacpp(writer: Writer, folder: Path, cache: Path) -> Iterator[TextEngine]:
    gguf = folder.parent / "tiny.gguf"
    gguf_converter.convert(folder, gguf, "f32", cache)
    tokens = writer.tokens

    def start() -> LlamaCpp:
        return LlamaCpp.open(gguf, context=CONTEXT, threads=1)

    yield LlamaCppText(start, 1, tokens.end, [2], tokens.grammar, tokens.spelled)


def test_both_engines_call_tools_as_they_are_asked_to(base: BaseModel, bases_cache: Path) -> None:
    goal = GoalSheet("text", "text", "Be kind.")
    writer = Writer(base, goal, None)
    version = Version("tiny", "0123456789", goal, base, None, 300, False, 1.0, "")
    found, spelled = [], []
    for opened in (by_torch, by_llamacpp):
        with opened(writer, base.folder, bases_cache) as engine:

            async def ask(engine: TextEngine = engine) -> list[dict[str, Any]]:
                await engine.start()
                try:
                    spelled.append(await written(engine, writer))
                    served = ServedText(version, engine, writer.tokens, Gate(1, 1), CONTEXT, Site("tiny"))
                    return await answers(served)
                finally:
                    await engine.close()

            found.append(asyncio.run(ask()))
    for one in found:
        for answer, function in zip(one[:3], ("any", "now", "any"), strict=True):
            [choice] = answer["choices"]
            assert choice["finish_reason"] == "tool_calls"
            [call] = [one["function"] for one in choice["message"]["tool_calls"]]
            assert function in ("any", call["name"])
            schema = PARAMETERS if call["name"] == "weather" else {"maxProperties": 0}
            assert Draft202012Validator(schema).is_valid(json.loads(call["arguments"]))
    assert spelled[0] == spelled[1]
    assert writer.tokens.text_of(spelled[1]) == SPELLED
    ours, theirs = ([answer["usage"]["prompt_tokens"] for answer in one] for one in found)
    assert ours == theirs
    first, second = ([answer["choices"][0]["message"].get("tool_calls") for answer in one[:2]] for one in found)
    assert [call["function"] for [call] in first] == [call["function"] for [call] in second]
