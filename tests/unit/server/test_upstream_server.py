"""Models that are at another server, asked through ours with the official client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.unit.server.conftest import Running, running
from tests.unit.upstream_double import Upstream, upstream

TOOLS: Any = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]
CALL = {"id": "call_7", "name": "find", "arguments": '{"order": 12}'}


def ready(server: Running, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.ask("GET", "/ready").status_code == 200:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def double() -> Iterator[Upstream]:
    with upstream() as found:
        yield found


@pytest.fixture(scope="module")
def passing(double: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server before the upstream, which was proven."""
    with running(tmp_path_factory.mktemp("passing"), "upstream_server", url=double.url, timeout=0.8) as server:
        assert ready(server)
        yield server


def ask(server: Running, model: str, text: str, **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return server.client.chat.completions.create(**{"model": model, "messages": messages, **more})


@pytest.mark.parametrize("model", ["ids", "words"])
def test_an_answer_comes_through_whole_and_in_pieces(passing: Running, double: Upstream, model: str) -> None:
    whole = ask(passing, model, "Where is my tent?")
    chunks = list(ask(passing, model, "Where is my tent?", stream=True, stream_options={"include_usage": True}))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert whole.choices[0].message.content == said == "Where is my tent?"
    assert (whole.choices[0].finish_reason, chunks[-2].choices[0].finish_reason) == ("stop", "stop")
    assert whole.model == f"{model}@{model[0]}012"
    used = (whole.usage.prompt_tokens, whole.usage.completion_tokens)
    assert used == ((17, 17) if model == "ids" else (41, 17))  # as who counts: ours, or the upstream
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == used


def test_messages_go_with_the_goals_system_prompt_or_the_clients_own(passing: Running, double: Upstream) -> None:
    ask(passing, "words", "x", max_tokens=3, temperature=0.5, top_p=0.9, seed=4, stop=["a", "b", "c", "d", "e"])
    sent = double.asked[-1]
    assert sent["messages"] == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "x"}]
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"], sent["seed"]) == (3, 0.5, 0.9, 4)
    assert sent["stop"] == ["a", "b", "c", "d"]
    own: Any = [{"role": "developer", "content": "Else."}, {"role": "user", "content": "x"}]
    marked = ask(passing, "words", "", messages=own).model_extra["tunesmith"]
    assert (marked["system"], marked["confidence"]) == ("request", None)
    assert double.asked[-1]["messages"][0] == {"role": "system", "content": "Else."}


def test_limits_stops_and_several_answers_are_kept_here(passing: Running) -> None:
    assert ask(passing, "words", "tents", max_tokens=3).choices[0].finish_reason == "length"
    stopped = ask(passing, "words", "a tent and a map", stop=["q", "r", "s", "v", "and"]).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("a tent", "stop")
    assert [choice.index for choice in ask(passing, "words", "x", n=2).choices] == [0, 1]
    told = ask(passing, "words", "tent", logprobs=True).choices[0].logprobs.content
    assert [(one.token, one.logprob) for one in told] == [("t", -0.2), ("e", -0.2), ("n", -0.2), ("t", -0.2)]


def test_what_an_answer_must_keep_to_is_asked_of_the_upstream(passing: Running, double: Upstream) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    asked = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema, "strict": True}}
    ask(passing, "words", "x", response_format=asked)
    assert double.asked[-1]["response_format"] == asked


def test_tools_and_their_calls_are_passed_through(passing: Running, double: Upstream) -> None:
    double.calls = [CALL, {**CALL, "id": "call_8", "arguments": "{}"}]
    try:
        whole = ask(passing, "words", "Where is 12?", tools=TOOLS, tool_choice="required")
        assert double.asked[-1]["tools"][0]["function"]["name"] == "find"
        assert double.asked[-1]["tool_choice"] == "required"
        [choice] = whole.choices
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        assert [(one.id, one.function.arguments) for one in choice.message.tool_calls] == [
            ("call_7", '{"order": 12}'),
            ("call_8", "{}"),
        ]
        with passing.client.chat.completions.stream(
            model="words", messages=[{"role": "user", "content": "Where is 12?"}], tools=TOOLS
        ) as stream:
            final = stream.get_final_completion()
        assert [one.id for one in final.choices[0].message.tool_calls or ()] == ["call_7", "call_8"]
    finally:
        double.calls = []
    answered: Any = [
        {"role": "user", "content": "Where is 12?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_7", "type": "function", "function": {"name": "find", "arguments": '{"order": 12}'}}]},
        {"role": "tool", "tool_call_id": "call_7", "content": "In the van."},
    ]  # fmt: skip
    assert ask(passing, "words", "", messages=answered, tools=TOOLS).choices[0].message.content == "In the van."
    assert double.asked[-1]["messages"][1:] == answered


def test_rules_look_at_what_goes_to_the_upstream_and_what_comes_back(passing: Running, double: Upstream) -> None:
    assert "ann@example.com" not in str(ask(passing, "ruled", "I am ann@example.com, where is it?"))
    assert "ann@example.com" not in str(double.asked[-1])
    for stream in (False, True):
        answer = ask(passing, "ruled", "Your code is AB-1234, keep it.", stream=stream)
        if stream:
            said = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
        else:
            said = answer.choices[0].message.content
        assert "AB-1234" not in said
        assert "No codes." in said
    double.calls = [{**CALL, "arguments": '{"code": "AB-1234"}'}]
    try:
        [choice] = ask(passing, "ruled", "x", tools=TOOLS).choices
    finally:
        double.calls = []
    assert (choice.message.tool_calls, choice.message.content) == (None, "No codes.")
    assert choice.finish_reason == "content_filter"


def test_a_bare_text_goes_to_models_that_take_token_ids_alone(passing: Running) -> None:
    assert passing.client.completions.create(model="ids", prompt="go on", max_tokens=5).choices[0].text == "go on"
    with pytest.raises(openai.BadRequestError, match="asked by messages") as refused:
        passing.client.completions.create(model="words", prompt="go on")
    assert refused.value.code == "not_served"


@pytest.mark.parametrize("model", ["ids", "words"])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("503", 503, "upstream_down"),
        ("an error", 503, "upstream_down"),
        ("404", 502, "upstream_odd"),
        ("no JSON", 502, "upstream_odd"),
        ("400", 400, "upstream_refuses"),
        ("silent", 503, "upstream_down"),
    ],
)
def test_what_goes_wrong_there_is_a_clean_error_here_soon(
    passing: Running, double: Upstream, model: str, fault: str, status: int, code: str
) -> None:
    double.faults = [fault]
    began = time.monotonic()
    with pytest.raises(openai.APIStatusError) as refused:
        ask(passing, model, "tents and maps")
    assert time.monotonic() - began < 4
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert ("retry-after" in refused.value.response.headers) == (status >= 500)
    assert ask(passing, model, "tent").choices[0].message.content == "tent"


def test_a_stream_that_breaks_off_says_so_and_the_next_waits_for_the_proof(passing: Running, double: Upstream) -> None:
    double.faults = ["breaks"]
    with pytest.raises(openai.APIError, match="does not answer now"):
        list(ask(passing, "words", "tents and maps", stream=True))
    assert ready(passing)
    assert ask(passing, "words", "tent").choices[0].message.content == "tent"


def test_a_client_that_goes_ends_the_answer_at_the_upstream(passing: Running, double: Upstream) -> None:
    given_up = double.given_up
    double.pause = 0.02
    try:
        with ask(passing, "words", "x" * 1000, stream=True) as stream:
            next(iter(stream))
        deadline = time.monotonic() + 5
        while double.given_up == given_up and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        double.pause = 0.0
    assert double.given_up == given_up + 1


def code_of(server: Running, model: str, text: str = "tent") -> str:
    """What a request is refused by; its answer where it is not."""
    try:
        return str(ask(server, model, text).choices[0].message.content)
    except openai.APIStatusError as error:
        return str(error.code) if "retry-after" in error.response.headers else "no retry-after"


def waited_for(server: Running, model: str, wanted: str, seconds: float = 6.0) -> list[str]:
    """What was answered, each thing once, until this was."""
    found: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (not found or found[-1] != wanted):
        found.append(code_of(server, model))
        time.sleep(0.05)
    return sorted(set(found[:-1])) + found[-1:]


def test_an_upstream_that_was_away_is_proven_before_it_answers_again(tmp_path: Path) -> None:
    with upstream() as first:
        port = int(first.url.split(":")[2].partition("/")[0])
    # the server starts while it is away
    with running(tmp_path, "upstream_server", url=first.url) as server:
        assert server.ask("GET", "/ready").json()["error"]["code"] == "not_ready"
        assert waited_for(server, "ids", "upstream_down")[-1] == "upstream_down"
        with upstream(port):
            assert "TENT" not in [*waited_for(server, "words", "tent"), *waited_for(server, "ids", "tent")]
            assert (code_of(server, "words"), code_of(server, "ids")) == ("tent", "tent")
        assert waited_for(server, "ids", "upstream_down")[-1] == "upstream_down"
        assert waited_for(server, "words", "upstream_down")[-1] == "upstream_down"
        with upstream(port, say=str.upper):  # another model under the same address
            for model in ("ids", "words"):
                found = waited_for(server, model, "upstream_differs")
                assert "TENT" not in found
                assert found[-1] == "upstream_differs"
            assert server.ask("GET", "/ready").status_code == 503
        with upstream(port):
            found = [*waited_for(server, "words", "tent", 15.0), *waited_for(server, "ids", "tent", 15.0)]
            assert "TENT" not in found
            assert found[-1] == "tent"
