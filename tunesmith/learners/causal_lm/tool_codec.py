"""Conversations with tools to token ids and back, by the model's own chat template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunesmith.errors import InputError
from tunesmith.example import digest
from tunesmith.learners.causal_lm.call_form import ARGUMENTS, NAME, CallForm, asks_for_call, call_form
from tunesmith.learners.causal_lm.call_grammar import call_grammar
from tunesmith.learners.causal_lm.call_reader import FormReader, TemplateReader
from tunesmith.tool_calls import Tools, Turn

#: Some templates take ids of just so many letters and digits.
SHORT_ID = 9

_PROBE = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "zz_description",
        "parameters": {"type": "object", "properties": {"zz_key": {"type": "string"}}, "required": ["zz_key"]},
    },
}
_IDS = ("call_zzzzzzzzzzzzzzz1", "call_zzzzzzzzzzzzzzz2")


@dataclass(frozen=True)
class Way:
    """How a template wants calls: their arguments as text or as an object, ids of `SHORT_ID` characters or as they
    are."""

    arguments_as_text: bool
    short_ids: bool

    def arguments(self, text: str) -> Any:
        return text if self.arguments_as_text else json.loads(text)

    def id(self, id: str) -> str:
        return digest(id)[:SHORT_ID] if self.short_ids else id


WAYS = (Way(False, False), Way(False, True), Way(True, False), Way(True, True))


class ToolCodec:
    """What a tokenizer's chat template makes of tools. ``system``: what stands first in a conversation without a system
    message of its own. ``form``: how calls are written, None where the tokenizer itself
    tells how to read its answers and the form is another."""

    def __init__(self, tokenizer: Any, system: str, way: Way, form: CallForm | None) -> None:
        self._tokenizer = tokenizer
        self._system = Turn("system", system)
        self._way = way
        self.form = form
        self._own = _own_reading(tokenizer)
        added = tokenizer.added_tokens_decoder
        self._special = {id: str(token) for id, token in added.items() if token.special}
        markers = form.markers if form is not None and not self._own else ""
        # What marks the end of a turn is a special token as well, and no part of the answer.
        self._dropped = set() if self._own else {id for id, text in self._special.items() if text not in markers}

    def of_turns(self, turns: Sequence[Turn], tools: Tools | None) -> list[int]:
        """A conversation up to where the assistant begins to answer, as the chat template writes it.

        Raises InputError ``template_refuses`` for a conversation that the chat template does not take.
        """
        definitions = [dict(one) for one in tools.definitions] if tools else None
        turns = turns if turns[0].role == "system" else [self._system, *turns]
        try:
            text = _render(self._tokenizer, [self._message(turn) for turn in turns], definitions, True)
        except _template_errors() as error:
            what = f"the model's chat template refuses these messages: {error}"
            raise InputError("template_refuses", what, fix="see its roles, and how many tools it takes") from error
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _message(self, turn: Turn) -> dict[str, Any]:
        message: dict[str, Any] = {"role": turn.role, "content": turn.text}
        if turn.calls:
            message["tool_calls"] = [
                {
                    "id": self._way.id(call.id),
                    "type": "function",
                    "function": {"name": call.name, "arguments": self._way.arguments(call.arguments)},
                }
                for call in turn.calls
            ]
        if turn.call_id is not None:
            message |= {"tool_call_id": self._way.id(turn.call_id), "name": turn.name}
        return message

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of an answer, with the special tokens that mark calls."""
        kept = [token for token in tokens if token not in self._dropped]
        return str(self._tokenizer.decode(kept, skip_special_tokens=False))

    def reader(self, prompt: Sequence[int], tools: Tools) -> FormReader | TemplateReader:
        """What reads the calls in the answer to a prompt."""
        if self._own:
            definitions = [dict(one) for one in tools.definitions]
            parser = self._tokenizer.get_response_parser(prefix=list(prompt), tools=definitions)
            return TemplateReader(parser, tools.names)
        assert self.form is not None
        return FormReader(self.form, tools.names)

    def grammar(self, tools: Tools, schema: Mapping[str, Any] | None) -> str | None:
        """What the answer must keep to, in llguidance's form of Lark: calls where the model must call, else calls or
        JSON of the schema. None where the answer is free.

        Raises InputError ``calls_not_enforceable`` where the form of calls cannot be enforced.
        """
        if tools.free and schema is None:
            return None
        if self.form is None:
            what = "how this model writes calls of tools cannot be enforced"
            raise InputError("calls_not_enforceable", what, fix="send tool_choice: auto, without response_format")
        return call_grammar(self.form, tools, None if not tools.free else schema, self._terminals)

    def _terminals(self, text: str) -> Iterator[str]:
        """A text as Lark has it, special tokens by their ids."""
        ids = {name: id for id, name in self._special.items() if name in text}
        while text:
            found = [(at, -len(name), name) for name in ids if (at := text.find(name)) >= 0]
            at, _, name = min(found, default=(len(text), 0, ""))
            if at:
                yield json.dumps(text[:at], ensure_ascii=False)
            if name:
                yield f"<[{ids[name]}]>"
            text = text[at + len(name) :]


def find_tools(tokenizer: Any, system: str) -> ToolCodec | None:
    """What the chat template makes of tools, found by letting it write some; None where it has no place for them, or
    writes calls in a form that is not read."""
    if not _has_place(tokenizer):
        return None

    def render(messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, open: bool) -> str:
        return _render(tokenizer, messages, tools, open)

    shown = None
    for way in WAYS:
        arguments = way.arguments(json.dumps(ARGUMENTS))
        first, second = map(way.id, _IDS)
        try:
            form = call_form(render, [_PROBE], arguments, (first, second))
            answered = {"role": "tool", "tool_call_id": first, "name": NAME, "content": "zz_result"}
            asked = {"role": "user", "content": "zz_question"}
            whole = render([asked, asks_for_call(arguments, (first,)), answered], [_PROBE], True)
        except _template_errors():
            continue
        if "zz_result" not in whole or "zz_value" not in whole:
            continue
        if form is not None:
            return ToolCodec(tokenizer, system, way, form)
        shown = shown or way
    return ToolCodec(tokenizer, system, shown, None) if shown and _own_reading(tokenizer) else None


def _has_place(tokenizer: Any) -> bool:
    """Whether functions that the template is given stand in what it writes."""
    asked = {"role": "user", "content": "zz_question"}
    for messages in ([{"role": "system", "content": "zz_system"}, asked], [asked]):
        try:
            if "zz_description" in _render(tokenizer, messages, [_PROBE], True):
                return True
        except _template_errors():
            continue
    return False


def _own_reading(tokenizer: Any) -> bool:
    """Whether the tokenizer tells by itself how calls are read in its answers."""
    told = getattr(tokenizer, "response_template", None)
    reads = hasattr(tokenizer, "get_response_parser")  # what came with transformers 5.0 is another description
    return reads and isinstance(told, dict) and "tool_calls" in told.get("fields", {})


def _render(tokenizer: Any, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, open: bool) -> str:
    written = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=open)
    return str(written)


def _template_errors() -> tuple[type[Exception], ...]:
    """What a template raises: its own errors, and those of values that it does not expect."""
    from jinja2.exceptions import TemplateError

    return (TemplateError, TypeError, ValueError, LookupError, AttributeError)
