"""A chat request made ready for a model: what rules leave of it, its prompt in tokens, what its answer is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tunesmith.answering.answerer import Prompt
from tunesmith.deployment.guard import Task
from tunesmith.example import Message
from tunesmith.generation import Sampling
from tunesmith.server.call import Call
from tunesmith.server.conversation import calls_tools, texts_of, turns_of
from tunesmith.server.refusal import Refusal
from tunesmith.server.requests import ChatRequest, Written, schema_of
from tunesmith.server.served import Served, ServedText, in_tokens, room_for
from tunesmith.server.tool_prompts import put_with_tools, tool_codec
from tunesmith.tool_calls import Tools


@dataclass(frozen=True)
class Asked:
    """A chat request made ready: the prompt in tokens, what the answer is held against, and what every chunk of it
    begins with."""

    request: ChatRequest
    prompt: list[int]
    sampling: Sampling
    task: Task
    head: dict[str, Any]
    marked: dict[str, Any]
    tools: Tools | None = None


def sampling_of(request: Written, max_tokens: int, **more: Any) -> Sampling:
    """Greedy unless a temperature is given: that is what the test measured."""
    return Sampling(max_tokens, request.temperature or 0.0, request.top_p or 1.0, request.seed, **more)


def nth(sampling: Sampling, number: int) -> Sampling:
    """Of several answers each is drawn by a seed of its own."""
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + number)


async def prepare(served: ServedText, request: ChatRequest, call: Call, head: dict[str, Any]) -> Asked:
    check_logprobs(served, request.logprobs)
    turns, tools = turns_of(request.messages), request.asked_tools
    if tools is not None or calls_tools(turns):
        put = await put_with_tools(served, call, turns, tools)
        messages, prompt, given, tools = put.messages, put.tokens, put.given, put.tools
    else:
        messages = await seen(served, call, texts_of(turns))
        texts = [message.text for message in messages]
        prompt, given = await in_tokens(texts, lambda: _tokens(served, messages), slow=served.prepare is not None)
    wanted = request.max_completion_tokens or request.max_tokens
    room = room_for(served, len(prompt), wanted, call.key.limits.tokens_a_request)
    asked = request.response_format
    schema = served.schema if asked is None else schema_of(asked, served.version.goal.schema)
    grammar = tool_codec(served).grammar(tools, schema) if tools is not None else None
    sampling = sampling_of(request, room, schema=schema, top=request.top_logprobs or 0, grammar=grammar)
    due = served.version.goal.schema if asked is None else schema
    task = task_of(served, messages, given, due)
    marked = {"system": "request" if messages[0].role == "system" else "goal"}
    call.read(len(prompt))
    return Asked(request, prompt, sampling, task, head, marked, tools)


async def seen(served: Served, call: Call, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages as the model may see them. Raises `Stopped` where a rule ends the exchange."""
    call.exchange.prompt = messages
    return await served.site.guard.before(messages, call.exchange)


def check_logprobs(served: Served, asked: object) -> None:
    """Raises Refusal ``not_served`` where log probabilities would tell the tokens that rules hold back."""
    if asked and served.site.guard.looks_after:
        what = "rules of this project look at answers, and logprobs would tell what they hold back: leave them out"
        raise Refusal(400, "not_served", what, param="logprobs")


def task_of(served: Served, messages: tuple[Message, ...], given: Prompt, schema: Mapping[str, Any] | None) -> Task:
    """What the answer is held against. ``given``: the messages as the set-up in use puts them."""
    version = served.version
    own = messages[:1] if messages[0].role == "system" else ()
    turns = messages[len(own) :]
    system = own[0].text if own else (version.setup.system if version.setup else None) or version.goal.system
    examples = tuple(turn.text for turn in given[len(own) : len(given) - len(turns)])
    documents = given[-1].text.replace(turns[-1].text, "", 1).strip()
    return Task(version.goal, schema, (system,), examples, (documents,) if documents else ())


def _tokens(served: ServedText, messages: tuple[Message, ...]) -> tuple[list[int], Prompt]:
    """The prompt in tokens, and the messages that it was made of."""
    if served.version.documents:  # it goes on from a text, as it learned to
        return served.codec.of_text(messages[-1].text), messages
    given = served.prepare(messages) if served.prepare else messages
    return served.codec.of_messages(given), given
