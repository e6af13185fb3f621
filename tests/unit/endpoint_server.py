"""A real HTTP server that speaks chat completions, in a thread of its own, on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[Mapping[str, Any]], str]


@dataclass
class Server:
    """``asked`` are the bodies of all requests, ``keys`` their Authorization headers. ``faults`` come before answers:
    a status each, with headers. ``most`` is how many requests were under way together."""

    say: Answer
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    raw: str | None = None
    pause: float = 0.0
    most: int = 0
    under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, str], str]:
        with self.lock:
            self.asked.append(body)
            self.keys.append(key)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            fault = self.faults.pop(0) if self.faults else None
        time.sleep(self.pause)
        with self.lock:
            self.under_way -= 1
        if fault:
            return fault[0], fault[1], f"no: {key}"
        if self.raw is not None:
            return 200, {}, self.raw
        message = {"role": "assistant", "content": self.say(body)}
        told = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {"completion_tokens": 3}}
        return 200, {}, json.dumps(told)


@contextmanager
def serving(say: Answer) -> Iterator[Server]:
    server = Server(say)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == "/v1/chat/completions"
            status, headers, text = server.respond(body, self.headers["Authorization"]) if known else (404, {}, "")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
