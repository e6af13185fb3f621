"""Tools by the chat template: prompts, calls read back, and grammars, in the three forms of the field."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny_bases import CHAT
from tests.tool_templates import HERMES, LLAMA, MISTRAL
from tunesmith.errors import InputError
from tunesmith.learners.causal_lm.call_reader import FormReader
from tunesmith.learners.causal_lm.grammar import JsonGrammar
from tunesmith.learners.causal_lm.tool_codec import ToolCodec, find_tools
from tunesmith.products import BaseModel
from tunesmith.tool_calls import Called, ToolCall, Tools, Turn

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"enum": ["Köln", "Bonn"]}, "days": {"$ref": "#/$defs/days"}},
            "required": ["place"],
            "additionalProperties": False,
            "$defs": {"days": {"type": "integer"}},
        },
    },
}
NOW = {"type": "function", "function": {"name": "now"}}
TOOLS = Tools((WEATHER, NOW))
CALLS = [Called("weather", '{"place": "Köln"}'), Called("now", "{}")]
#: An answer in each form with the calls above.
ANSWERS = {
    "hermes": (
        "Let me look.\n<tool_call>\n"
        '{"name": "weather", "arguments": {"place": "Köln"}}\n</tool_call>\n<tool_call>\n'
        '{"name": "now", "arguments": {}}\n</tool_call>'
    ),
    "mistral": '[TOOL_CALLS] [{"name": "weather", "arguments": {"place": "Köln"}}, {"name": "now", "arguments": {}}]',
    "llama": '{"name": "weather", "parameters": {"place": "Köln"}}',
}
TEMPLATES = {"hermes": HERMES, "mistral": MISTRAL, "llama": LLAMA}
CONVERSATION = (
    Turn("user", "Do I need a coat?"),
    Turn("assistant", "", (ToolCall("call_0123456789", "weather", '{"place": "Köln"}'),)),
    Turn("tool", "6 °C, rain", call_id="call_0123456789", name="weather"),
)


@cache
def tokenizer(template: str, *special: str) -> Any:
    """One that reads bytes; what marks calls may be tokens of their own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|im_end|>", "<|im_start|>", *alphabet]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|im_start|>", eos_token="<|im_end|>")
    fast.add_special_tokens({"additional_special_tokens": list(special)})
    fast.chat_template = template
    return fast


@cache
def codec(name: str, *special: str) -> ToolCodec:
    found = find_tools(tokenizer(TEMPLATES[name], *special), "Be kind.")
    assert found is not None
    return found


def read(name: str, text: str, tools: Tools = TOOLS, cuts: tuple[int, ...] = ()) -> tuple[str, list[Called]]:
    """The text and the calls in an answer that comes in pieces."""
    reader = codec(name).reader([], tools)
    assert isinstance(reader, FormReader)
    places = sorted({0, *(cut % (len(text) + 1) for cut in cuts), len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    found = [one for piece in pieces for one in reader.add(piece)] + reader.end()
    return "".join(one for one in found if isinstance(one, str)), [one for one in found if isinstance(one, Called)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_prompt_with_tools_is_what_the_template_writes(name: str) -> None:
    own = tokenizer(TEMPLATES[name])
    text = own.decode(codec(name).of_turns(CONVERSATION, TOOLS))
    for said in ("Do I need a coat?", '"name": "weather"', "Köln", "6 °C, rain", '"name": "now"'):
        assert said in text
    if name != "mistral":  # there ids are shortened
        id = "call_0123456789"
        call = {"id": id, "type": "function", "function": {"name": "weather", "arguments": {"place": "Köln"}}}
        messages = [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Do I need a coat?"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "6 °C, rain", "tool_call_id": id, "name": "weather"},
        ]
        expected = own.apply_chat_template(messages, tools=[WEATHER, NOW], add_generation_prompt=True)["input_ids"]
        assert codec(name).of_turns(CONVERSATION, TOOLS) == expected


def test_a_template_without_a_place_for_tools_is_found_out() -> None:
    assert find_tools(tokenizer(CHAT), "Be kind.") is None
    shows_no_calls = CHAT.replace("{% for", "{{ tools | tojson }}{% for", 1)
    assert find_tools(tokenizer(shows_no_calls), "Be kind.") is None


def test_a_template_that_refuses_a_conversation_is_told() -> None:
    two = (CONVERSATION[0], Turn("assistant", "", 2 * CONVERSATION[1].calls), CONVERSATION[2])
    with pytest.raises(InputError) as refused:
        codec("llama").of_turns(two, TOOLS)
    assert refused.value.code == "template_refuses"
    assert "one call at a time" in refused.value.what


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 500), max_size=40).map(tuple))
def test_calls_are_read_however_the_answer_is_cut(name: str, cuts: tuple[int, ...]) -> None:
    text, calls = read(name, ANSWERS[name], cuts=cuts)
    assert text == ("Let me look." if name == "hermes" else "")
    assert calls == (CALLS[:1] if name == "llama" else CALLS)


PARTS = [
    "<tool_call>",
    "</tool_call>",
    "[TOOL_CALLS]",
    "{",
    "}",
    "[",
    "]",
    '"name": "weather"',
    '"',
    "\\",
    " ",
    "\n",
    "é",
]
WRITTEN = st.lists(st.sampled_from(PARTS), max_size=20).map("".join)


@given(st.sampled_from(sorted(ANSWERS)), WRITTEN, st.lists(st.integers(0, 99)).map(tuple))
def test_what_is_no_call_stays_as_it_was_written(name: str, text: str, cuts: tuple[int, ...]) -> None:
    left, calls = read(name, text, cuts=cuts)
    assert calls == []
    assert left.rstrip() == text.rstrip() or left.strip() == text.strip()
    assert read(name, text) == (left, calls)


@pytest.mark.parametrize(
    "call",
    [
        {"name": "other", "arguments": {}},
        {"name": "weather", "arguments": "no"},
        {"name": "weather"},
        {"name": ["weather"], "arguments": {}},
        {"name": "weather", "arguments": {"place": "\ud83d"}},
        {"name": "weather", "arguments": {"days": float("nan")}},
        ["weather"],
        "weather",
        [],
    ],
)
def test_a_call_of_no_function_that_there_is_stays_text(call: Any) -> None:
    for begin, end, name in (("<tool_call>", "</tool_call>", "hermes"), ("[TOOL_CALLS]", "", "mistral")):
        text = f"{begin}{json.dumps(call)}{end}"
        assert read(name, text) == (text, [])


def test_arguments_as_text_are_read_and_an_answer_of_json_is_none() -> None:
    twice = json.dumps({"name": "weather", "arguments": '{"place": "Bonn"}'})
    assert read("hermes", f"<tool_call>{twice}</tool_call>") == ("", [Called("weather", '{"place": "Bonn"}')])
    answer = '{"team": "returns", "urgent": false}'
    assert read("llama", answer) == (answer, [])


@pytest.mark.parametrize("special", [(), ("<tool_call>", "</tool_call>", "[TOOL_CALLS]")])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_grammar_lets_calls_through_and_nothing_else(name: str, special: tuple[str, ...]) -> None:
    own, found = tokenizer(TEMPLATES[name], *special), codec(name, *special)

    def fits(text: str, tools: Tools, schema: Any = None) -> bool:
        lark = found.grammar(tools, schema)
        assert lark is not None
        tokens = own(text, add_special_tokens=False)["input_ids"]
        return JsonGrammar(own, len(own), lark).fits(tokens)

    def written(*calls: tuple[str, str]) -> str:
        key = "parameters" if name == "llama" else "arguments"
        told = [f'{{"name": "{one}", "{key}": {arguments}}}' for one, arguments in calls]
        if name == "mistral":
            return f"[TOOL_CALLS][{', '.join(told)}]"
        return "".join(told) if name == "llama" else "\n".join(f"<tool_call>\n{one}\n</tool_call>" for one in told)

    required, only = Tools((WEATHER, NOW), required=True), Tools((WEATHER, NOW), True, "now")
    weather, now = ("weather", '{"place": "Köln", "days": 3}'), ("now", "{}")
    assert fits(written(weather), required)
    assert fits(written(weather, now), required) == (name != "llama")
    assert fits(written(now), only)
    assert not fits(written(weather), only)
    assert not fits(written(weather, now), Tools((WEATHER, NOW), required=True, parallel=False))
    for wrong in ('{"place": "Rom"}', '{"days": 3}', '{"place": "Bonn", "more": 1}'):
        assert not fits(written(("weather", wrong)), required)
    assert not fits("Hello.", required)
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "a": {"type": "integer"}},
        "additionalProperties": False,
    }
    for answer in ('{"a": 1}', '{"name": "weather"}', '{"name": "Ann", "a": 1}', written(weather)):
        assert fits(answer, TOOLS, schema)
    assert not fits('{"a": "b"}', TOOLS, schema)
    assert found.grammar(TOOLS, None) is None


@pytest.mark.parametrize("name", ["hermes", "mistral"])
def test_markers_that_are_special_tokens_are_not_lost(name: str) -> None:
    special = ("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|other|>")
    own, found = tokenizer(TEMPLATES[name], *special), codec(name, *special)
    tokens = own(f"{ANSWERS[name]}<|other|><|im_end|>", add_special_tokens=False)["input_ids"]
    assert found.text_of(tokens) == ANSWERS[name]


def test_a_tokenizer_that_tells_how_its_answers_are_read_is_believed() -> None:
    own = tokenizer(HERMES, "<|call|>", "<|done|>")
    own.response_template = {
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {
            "tool_calls": {
                "open": "<|call|>",
                "close": "<|done|>",
                "repeats": True,
                "content": "json",
                "transform": {"type": "function", "function": "{content}"},
            },
            "content": {"close": "<|im_end|>", "content": "text"},
        },
    }
    try:
        found = find_tools(own, "Be kind.")
        assert found is not None
        prompt = found.of_turns(CONVERSATION, TOOLS)

        def told(text: str) -> list[str | Called]:
            reader = found.reader(prompt, TOOLS)
            tokens = own(text, add_special_tokens=False)["input_ids"]
            given = [one for token in tokens for one in reader.add(found.text_of([token]))] + reader.end()
            texts = "".join(one for one in given if isinstance(one, str))
            return [texts, *(one for one in given if isinstance(one, Called))]

        call = '<|call|>{"name": "weather", "arguments": {"place": "Bonn"}}<|done|>'
        assert told(f"Let me look.{call}") == ["Let me look.", Called("weather", '{"place": "Bonn"}')]
        assert told("Nothing to do.") == ["Nothing to do."]
        for broken in ('<|call|>{"name": "other", "arguments": {}}<|done|>', '<|call|>{"name": <|done|> more'):
            assert told(broken) == [broken]
    finally:
        del own.response_template


def test_the_real_tokenizer_of_the_small_model_takes_a_template_with_tools(smollm2: BaseModel) -> None:
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(smollm2.folder)
    assert find_tools(own, "Be kind.") is None
    own.chat_template = HERMES
    found = find_tools(own, "Be kind.")
    assert found is not None
    assert found.form == codec("hermes").form
    prompt = found.of_turns(CONVERSATION, TOOLS)
    assert own.decode(prompt).startswith("<|im_start|>system\nBe kind.\n\n# Tools\n<tools>")
    reader = found.reader(prompt, TOOLS)
    tokens = own(ANSWERS["hermes"])["input_ids"]
    assert reader.add(found.text_of(tokens)) + reader.end() == ["Let me look.", *CALLS]
