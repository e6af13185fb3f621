"""Servers of somebody's as engines: what is sent, what is read, and that nothing odd of theirs gets through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.unit.upstream_double import END, upstream
from tests.unit.upstream_double import Upstream as Double
from tunesmith.engines import upstream_chat, upstream_tokens
from tunesmith.engines.openai_endpoint import Endpoint
from tunesmith.engines.upstream import EVENT_BYTES, Kind, Upstream, UpstreamError, Wire
from tunesmith.engines.upstream_chat import Piece
from tunesmith.errors import InputError
from tunesmith.generation import Sampling, WrittenToken


def at(
    double: Double, kind: Kind = "vllm", *, timeout: float = 5.0, key: str | None = None, **options: Any
) -> Upstream:
    return Upstream(kind, Endpoint("upstream", double.url, "m", key, timeout, 4, 1, options, "serve.upstream"))


def using(server: Upstream, use: Callable[[Wire], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        wire = Wire(server)
        try:
            return await use(wire)
        finally:
            await wire.close()

    return asyncio.run(run())


def tokens(server: Upstream, text: str, sampling: Sampling) -> list[WrittenToken]:
    async def use(wire: Wire) -> list[WrittenToken]:
        return [token async for token in upstream_tokens.write(wire, list(text.encode()), sampling, END)]

    found: list[WrittenToken] = using(server, use)
    return found


def pieces(server: Upstream, text: str, **asked: Any) -> list[Piece]:
    async def use(wire: Wire) -> list[Piece]:
        messages = [{"role": "user", "content": text}]
        return [piece async for piece in upstream_chat.write(wire, messages, {"max_tokens": 100, **asked})]

    found: list[Piece] = using(server, use)
    return found


def test_a_prompt_goes_by_its_token_ids_and_those_of_the_answer_come_back() -> None:
    with upstream() as double:
        found = tokens(at(double), "tent", Sampling(10, top=2))
    assert [token.id for token in found] == [*b"tent", END]
    assert [token.is_end for token in found] == [False] * 4 + [True]
    assert found[0].log_probability == -0.1
    assert found[0].top == ((ord("t"), -0.1), (7, -3.0))
    [asked] = double.asked
    assert asked["prompt"] == list(b"tent")
    assert (asked["temperature"], asked["return_token_ids"], asked["logprobs"]) == (0.0, True, 2)
    assert "seed" not in asked
    assert "response_format" not in asked


def test_an_answer_that_its_limit_cuts_has_no_end_token() -> None:
    with upstream() as double:
        found = tokens(at(double), "tent", Sampling(3))
    assert [token.id for token in found] == list(b"ten")


def test_what_is_drawn_and_what_an_answer_must_keep_to_is_sent() -> None:
    with upstream() as double:
        sampling = Sampling(3, 0.7, 0.9, 2**40 + 5, {"type": "object"})
        tokens(at(double, ignored=None, priority=2, min_p=None), "x", sampling)
    [asked] = double.asked
    assert (asked["temperature"], asked["top_p"], asked["seed"], asked["priority"]) == (0.7, 0.9, 5, 2)
    assert asked["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert "min_p" not in asked


def test_ids_are_read_as_llama_cpp_tells_them_too() -> None:
    """Its /v1/completions has no `token_ids`; its log probabilities have an id each."""
    one = {"id": 5, "token": "x", "bytes": [120], "logprob": -0.5, "top_logprobs": [{"id": 5, "logprob": -0.5}]}
    choice = {"text": "x", "logprobs": {"content": [one]}, "finish_reason": None}
    assert upstream_tokens._tokens(choice, 1, {END}) == [WrittenToken(5, -0.5, ((5, -0.5),))]


def test_an_id_that_llama_cpp_leaves_out_is_missed() -> None:
    """Of a character of several tokens it tells the last alone; it counts them all."""
    with upstream(counts=7) as double, pytest.raises(UpstreamError, match="the ids of all its tokens"):
        tokens(at(double), "tent", Sampling(10))
    with upstream(counts=5) as double:
        assert len(tokens(at(double), "tent", Sampling(10))) == 5


def test_a_server_that_tells_no_ids_is_not_taken_for_one_that_does() -> None:
    with upstream(tells_ids=False) as double, pytest.raises(UpstreamError, match="ids of its tokens") as caught:
        tokens(at(double), "tent", Sampling(10))
    assert caught.value.code == "upstream_odd"


def test_a_server_that_answers_another_prompt_is_found_out() -> None:
    event = {"choices": [{"text": "", "prompt_token_ids": [1, 2], "token_ids": [], "finish_reason": None}]}
    with pytest.raises(UpstreamError, match="another prompt"):
        upstream_tokens._read(event, [1, 3], 0, END)


def test_text_comes_as_it_is_written_with_what_the_server_counts_at_the_end() -> None:
    with upstream() as double:
        found = pieces(at(double, "openai"), "tent", logprobs=True)
    assert [piece.text for piece in found] == ["t", "e", "n", "t", ""]
    assert found[0].logprobs[0]["logprob"] == -0.2
    assert (found[-1].reason, found[-1].usage.prompt, found[-1].usage.completion) == ("stop", 41, 17)


def test_an_answer_in_one_piece_is_read_as_well() -> None:
    choice = {"message": {"content": "all of it"}, "finish_reason": "stop"}
    piece, whole = upstream_chat._read({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    assert (piece.text, piece.reason, piece.usage.prompt, whole) == ("all of it", "stop", 3, True)


def test_a_server_that_does_not_keep_to_the_limit_is_stopped() -> None:
    with upstream(say=lambda text: "x" * 10_000) as double:
        found = pieces(at(double, "openai", max_tokens=10_000), "tent", max_tokens=5)
    assert "".join(piece.text for piece in found) == "xxxxx"
    assert found[-1].reason == "length"


FAULTS = {
    "503": ("upstream_down", "answered 503"),
    "429": ("upstream_down", "answered 429"),
    "breaks": ("upstream_down", "broke off"),
    "an error": ("upstream_down", "failed at this answer"),
    "silent": ("upstream_down", "was silent for 0.4 s"),
    "400": ("upstream_refuses", "refuses this request"),
    "401": ("upstream_odd", "refuses the key"),
    "404": ("upstream_odd", "knows no such model"),
    "307": ("upstream_odd", "something odd"),
    "no JSON": ("upstream_odd", "else than JSON"),
    "a page": ("upstream_odd", "else than events"),
    "a list": ("upstream_odd", "else than a completion"),
    "another": ("upstream_odd", "else than a"),
    "endless": ("upstream_odd", f"{EVENT_BYTES:,} bytes"),
}


@pytest.mark.parametrize("kind", ["vllm", "openai"])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_there_is_one_of_three_errors_soon(fault: str, kind: Kind, monkeypatch: Any) -> None:
    monkeypatch.setenv("UP_KEY", "sk-very-secret")
    code, words = FAULTS[fault]
    ask = (
        (lambda server: tokens(server, "tent", Sampling(10)))
        if kind == "vllm"
        else (lambda server: pieces(server, "tent"))
    )
    with upstream(faults=[fault]) as double:
        server = at(double, kind, timeout=0.4 if fault == "silent" else 5.0, key="UP_KEY")
        began = time.monotonic()
        with pytest.raises(UpstreamError, match=words) as caught:
            ask(server)
        assert time.monotonic() - began < 3
        assert caught.value.code == code
        assert "sk-very-secret" not in f"{caught.value.what} {caught.value.said}"
        assert double.keys == ["Bearer sk-very-secret"]
        if fault == "503":
            assert caught.value.retry_after == 7
        if fault == "400":
            assert caught.value.said == "no, Bearer (the key)"
        ask(server)  # and all is well again


def test_one_that_is_away_is_told_so_at_once() -> None:
    with upstream() as double:
        server = at(double)
    with pytest.raises(UpstreamError, match="cannot be reached") as caught:
        tokens(server, "x", Sampling(1))
    assert caught.value.gone


def test_a_connection_that_was_closed_meanwhile_costs_no_answer() -> None:
    with upstream(faults=["", "dropped"]) as double:

        async def use(wire: Wire) -> list[list[int]]:
            found = []
            for _ in range(3):
                found.append([token.id async for token in upstream_tokens.write(wire, [97], Sampling(5), END)])
            return found

        assert using(at(double), use) == [[97, END]] * 3
    assert len(double.asked) == 4
    assert double.connections == 2  # one that is read to its end is used again


def test_whoever_stops_reading_ends_the_answer_there() -> None:
    with upstream(pause=0.02, say=lambda text: "x" * 2000) as double:

        async def use(wire: Wire) -> None:
            answer = upstream_tokens.write(wire, [97], Sampling(2000), END)
            await anext(answer)
            await answer.aclose()

        using(at(double), use)
        deadline = time.monotonic() + 5
        while not double.given_up and time.monotonic() < deadline:
            time.sleep(0.02)
        assert double.given_up == 1


def test_a_key_that_the_environment_lacks_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UP_KEY", raising=False)
    with upstream() as double, pytest.raises(InputError, match="endpoint_key_missing") as caught:
        tokens(at(double, key="UP_KEY"), "x", Sampling(1))
    assert "serve.upstream" in str(caught.value)
