"""A real HTTP server in a thread that answers as vLLM's /v1/completions (token ids) and as /v1/chat/completions do.

It says what it was asked, a byte a token, in the fields and the order that vLLM's source has:
https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/completion/serving.py . Faults are named in
``faults``, one for each request that is to have one.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

END = 256


@dataclass
class Upstream:
    """``asked``: the bodies of requests, in their order. ``keys``: their Authorization. ``given_up``: answers whose
    reader went. ``counts``: the tokens that it says an answer by ids has, 0 for nothing said. ``say`` makes the answer
    of what was asked; ``calls`` are made in its place. ``pause``: seconds a token. ``connections``: how many were
    opened."""

    url: str = ""
    say: Callable[[str], str] = lambda text: text
    calls: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    pause: float = 0.0
    tells_ids: bool = True
    tells_usage: bool = True
    counts: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    given_up: int = 0
    connections: int = 0
    sockets: list[socket.socket] = field(default_factory=list)


class _Gone(Exception):
    pass


def _token_event(upstream: Upstream, ids: list[int], prompt: list[int] | None, reason: str | None) -> dict[str, Any]:
    names = [f"token_id:{id}" for id in ids]
    choice: dict[str, Any] = {
        "index": 0,
        "text": bytes(id for id in ids if id < END).decode("utf-8", "replace"),
        "logprobs": {
            "text_offset": [0] * len(ids),
            "token_logprobs": [-0.1] * len(ids),
            "tokens": names if upstream.tells_ids else ["?"] * len(ids),
            "top_logprobs": [{name: -0.1, "token_id:7": -3.0} for name in names],
        },
        "finish_reason": reason,
        "stop_reason": None,
    }
    if upstream.tells_ids:
        choice |= {"token_ids": ids, **({"prompt_token_ids": prompt} if prompt is not None else {})}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}


def _tokens(upstream: Upstream, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Two tokens in an event now and then, as vLLM sends them when it is busy."""
    text = upstream.say(bytes(id for id in body["prompt"] if id < END).decode("utf-8", "replace"))
    ids = [*text.encode(), END]
    cut = ids[: body["max_tokens"]]
    pairs = [cut[place : place + 2] for place in range(0, len(cut), 2)]
    for number, pair in enumerate(pairs):
        last = number == len(pairs) - 1
        reason = ("stop" if cut == ids else "length") if last else None
        yield _token_event(upstream, pair, body["prompt"] if number == 0 else None, reason)
    if upstream.counts:
        yield {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": upstream.counts}}


def _chat(upstream: Upstream, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def event(delta: dict[str, Any], reason: str | None = None, logprobs: Any = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": logprobs}
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}

    yield event({"role": "assistant", "content": ""})
    if upstream.calls and body.get("tools"):
        for number, call in enumerate(upstream.calls):
            head = {"index": number, "id": call["id"], "type": "function", "function": {"name": call["name"]}}
            yield event({"tool_calls": [head]})
            for part in (call["arguments"][:3], call["arguments"][3:]):
                yield event({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
        yield event({}, "tool_calls")
    else:
        text = upstream.say(body["messages"][-1]["content"])
        cut = text[: body["max_tokens"]]
        for letter in cut:
            entry = {"token": letter, "logprob": -0.2, "bytes": list(letter.encode()), "top_logprobs": []}
            yield event({"content": letter}, None, {"content": [entry]} if body.get("logprobs") else None)
        yield event({}, "stop" if cut == text else "length")
    if upstream.tells_usage and (body.get("stream_options") or {}).get("include_usage"):
        yield {"choices": [], "usage": {"prompt_tokens": 41, "completion_tokens": 17, "total_tokens": 58}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def setup(self) -> None:
        super().setup()
        self.upstream.connections += 1
        self.upstream.sockets.append(self.connection)

    def log_message(self, *words: Any) -> None:
        pass

    def do_POST(self) -> None:
        upstream = self.upstream
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        upstream.asked.append(body)
        upstream.keys.append(self.headers.get("Authorization"))
        fault = upstream.faults.pop(0) if upstream.faults else ""
        try:
            if self._failed(fault):
                return
            self._stream(fault, (_tokens if self.path.endswith("/v1/completions") else _chat)(upstream, body))
        except (_Gone, BrokenPipeError, ConnectionResetError):
            upstream.given_up += 1
            self.close_connection = True

    def _failed(self, fault: str) -> bool:
        """Whether the fault is all that is answered."""
        if fault == "dropped":  # as a server that ends a connection which was kept open
            self.close_connection = True
            return True
        if fault.isdigit():
            said = {"error": {"message": f"no, {self.headers.get('Authorization')}", "type": "x", "code": 1}}
            self._whole(int(fault), json.dumps(said).encode(), {"Retry-After": "7", "Location": "http://127.0.0.1:1/"})
            return True
        odd = {"no JSON": b"<html>hello</html>", "a list": b"[1]", "another": b'{"choices": [{"delta": 3}]}'}
        if fault == "a page":
            self._whole(200, b"<html>\n<p>Log in</p></html>", {"Content-Type": "text/html"})
            return True
        if fault in odd:
            self._whole(200, odd[fault], {})
            return True
        return False

    def _whole(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, fault: str, events: Iterator[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if number == 2 and self._broke(fault):
                return
            time.sleep(self.upstream.pause)
            self._send(b"data: " + json.dumps(event).encode() + b"\n\n")
        self._send(b"data: [DONE]\n\n")
        self._send(b"")

    def _broke(self, fault: str) -> bool:
        """What goes wrong amid an answer; whether that was its end."""
        if fault == "breaks":
            self.close_connection = True
            return True
        if fault == "an error":
            self._send(b'data: {"error": {"message": "out of memory", "code": 500}}\n\n')
        while fault == "silent":
            time.sleep(0.05)
            self._send(b": still here\n\n")
        while fault == "endless":
            self._send(b"x" * 2**16)
        return False

    def _send(self, data: bytes) -> None:
        try:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()
        except OSError as error:
            raise _Gone from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


@contextmanager
def upstream(port: int = 0, **more: Any) -> Iterator[Upstream]:
    """The server at work; ``port`` to come back where another was."""
    found = Upstream(**more)
    handler = type("Handler", (_Handler,), {"upstream": found})
    server = _Server(("127.0.0.1", port), handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for one in found.sockets:  # what was kept open ends with it
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
