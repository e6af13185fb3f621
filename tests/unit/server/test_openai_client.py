"""What the official client relies on, asked with the client as it is."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.unit.server.conftest import Running

QUESTION = [{"role": "user", "content": "Where is my tent? Wo ist mein Zelt, größer als 3 m²? 😀"}]
TEXT = QUESTION[0]["content"]


def ask(server: Running, **more: Any) -> Any:
    return server.client.chat.completions.create(**{"model": "echo", "messages": QUESTION, **more})


def test_models_are_listed_by_name_and_by_version(server: Running) -> None:
    found = [model.id for model in server.client.models.list()]
    assert found == ["echo", "echo@e012", "letters", "letters@l012"]
    one = server.client.models.retrieve("echo@e012")
    assert one.model_extra is not None
    assert one.model_extra["tunesmith"]["tested"] == "The goal is met."


def test_an_answer_has_its_text_its_version_and_what_was_used(server: Running) -> None:
    answer = ask(server)
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", TEXT, "stop")
    assert (answer.object, answer.model) == ("chat.completion", "echo@e012")
    size = len(TEXT.encode())
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (size, size)
    assert answer._request_id.startswith("req-")


def test_an_unsure_answer_is_marked_for_a_person(server: Running) -> None:
    marked = ask(server).model_extra["tunesmith"]
    assert marked["handed_off"] is True
    assert marked["confidence"] == pytest.approx(0.904837, abs=1e-5)
    assert marked["system"] == "goal"
    own = ask(server, messages=[{"role": "system", "content": "Be brief."}, *QUESTION])
    assert own.model_extra["tunesmith"]["system"] == "request"


def test_a_stream_adds_up_to_the_answer_in_the_order_that_clients_wait_for(server: Running) -> None:
    chunks = list(ask(server, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == TEXT
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], len(TEXT.encode()))
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-2].model_extra["tunesmith"]["handed_off"] is True


def test_the_clients_own_stream_helper_gathers_the_answer(server: Running) -> None:
    with server.client.chat.completions.stream(model="echo", messages=QUESTION) as stream:  # type: ignore[arg-type]
        final = stream.get_final_completion()
    assert final.choices[0].message.content == TEXT


def test_several_choices_stops_and_limits(server: Running) -> None:
    assert [choice.index for choice in ask(server, n=3).choices] == [0, 1, 2]
    stopped = ask(server, stop=["Zelt", "tent"]).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("Where is my", "stop")
    streamed = ask(server, stop="tent", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == "Where is my"
    for name in ("max_tokens", "max_completion_tokens"):
        cut = ask(server, **{name: 5}).choices[0]
        assert (cut.message.content, cut.finish_reason) == ("Where", "length")


def test_logprobs_are_told_for_each_token(server: Running) -> None:
    content = ask(server, logprobs=True, top_logprobs=1).choices[0].logprobs.content
    assert len(content) == len(TEXT.encode())
    assert (content[0].token, content[0].logprob, content[0].top_logprobs[0].token) == ("W", -0.1, "W")
    chunks = list(ask(server, logprobs=True, stream=True))
    told = [entry for chunk in chunks if chunk.choices[0].logprobs for entry in chunk.choices[0].logprobs.content]
    assert len(told) == len(content)


def test_plain_completions(server: Running) -> None:
    answer = server.client.completions.create(model="echo", prompt=[" a", "b"], max_tokens=50, logprobs=1, n=2)
    assert [choice.text for choice in answer.choices] == [" a", " a", "b", "b"]
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.tokens == [" ", "a"]
    chunks = list(server.client.completions.create(model="echo", prompt="abc", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "abc"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_parts_of_text_are_joined(server: Running) -> None:
    parts = [{"type": "text", "text": "Where "}, {"type": "text", "text": "is it?"}]
    answer = ask(server, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "Where is it?"


def test_labels_come_through_chat_too(server: Running) -> None:
    answer = ask(server, model="letters", logprobs=True, top_logprobs=2)
    assert answer.choices[0].message.content == "early"
    assert [one.token for one in answer.choices[0].logprobs.content[0].top_logprobs] == ["early", "late"]
    chunks = list(ask(server, model="letters", stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "early"
    assert chunks[-1].usage.completion_tokens == 1


def test_classifications_tell_the_probability_of_each_label(server: Running) -> None:
    asked = {"model": "letters", "input": ["\x00", "@"]}
    first, second = server.client.post("/classifications", cast_to=object, body=asked)["data"]  # type: ignore[index]
    assert (first["label"], first["probabilities"]) == ("early", {"early": 1.0, "late": 0.0})
    assert (second["label"], second["probability"], second["index"]) == ("early", 0.75, 1)


def test_vectors_come_as_the_client_asks_for_them(server: Running) -> None:
    embed = server.client.embeddings.create
    assert embed(model="letters", input="a").data[0].embedding == pytest.approx([0.6, 0.8])  # the client asks base64
    plain = embed(model="letters", input=["a", "b"], encoding_format="float")
    assert [one.embedding for one in plain.data] == [[0.6, 0.8]] * 2
    with pytest.raises(openai.BadRequestError):
        embed(model="letters", input="a", dimensions=7)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"model": "nobody"}, "model_not_found"),
        ({"model": "echo@e013"}, "model_not_found"),
        ({"messages": []}, "wrong_value"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "no_question"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "only_text"),
        ({"messages": [{"role": "user", "content": "a" * 3000}]}, "context_length_exceeded"),
        ({"max_tokens": 5000}, "context_length_exceeded"),
        ({"model": "letters", "tools": [{"type": "function", "function": {"name": "f"}}]}, "tools_not_served"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools_not_served"),
        ({"frequency_penalty": 1.0}, "not_served"),
        ({"n": 100}, "wrong_value"),
        ({"temperature": -1}, "wrong_value"),
        ({"stop": ["a"] * 100}, "wrong_value"),
        ({"stop": "a" * 1000}, "wrong_value"),
        ({"top_logprobs": 3}, "wrong_value"),
        ({"response_format": {"type": "json_schema"}}, "bad_schema"),
        ({"model": "letters", "response_format": {"type": "json_object"}}, "not_served"),
    ],
)
def test_what_cannot_be_done_is_refused_in_openais_envelope(server: Running, more: Any, code: str) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        ask(server, **more)
    assert refused.value.status_code == (404 if code == "model_not_found" else 400)
    body = refused.value.body
    assert isinstance(body, dict)
    assert (body["code"], set(body)) == (code, {"message", "type", "param", "code"})
    assert refused.value.request_id is not None


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {f"field{number}": {"type": "string"} for number in range(4000)}},
        {"type": "string", "pattern": "(a|a)*" * 200},
        {"anyOf": [{"type": "string"}] * 6000},
    ],
)
def test_absurd_schemas_are_refused(server: Running, schema: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(server, response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}})
    assert refused.value.code == "bad_schema"


def test_what_breaks_down_is_an_error_in_the_envelope_that_gives_nothing_away(server: Running) -> None:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "fail to answer"}]}
    answer = server.ask("POST", "/v1/chat/completions", json=asked)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text


def test_what_breaks_down_midway_ends_the_stream_with_an_error_that_gives_nothing_away(server: Running) -> None:
    failing = [{"role": "user", "content": "fail please"}]
    with pytest.raises(openai.APIError) as failed:
        list(ask(server, messages=failing, stream=True))
    assert "internal" in str(failed.value.code)
    with pytest.raises(openai.InternalServerError) as whole:
        ask(server, messages=failing)
    assert "secret" not in str(whole.value) + str(failed.value)
    assert ask(server).choices[0].message.content == TEXT  # and the server goes on
