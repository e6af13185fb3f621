"""A child that speaks as llama.cpp's server does and needs no model: `python child_double.py [BEGINNING]`.

It tells its address. Its answers are BEGINNING and the prompt, a byte a token; of a ``?`` it is unsure.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BEGINNING = list(" ".join(sys.argv[1:]).encode())
#: Between two tokens of one that has a beginning, so that a kill may fall there.
PAUSE = 0.002


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._begin()
        self.wfile.write(b'{"status": "ok"}')

    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._begin()
        for place, token in enumerate([*BEGINNING, *asked["prompt"]][: asked["n_predict"]]):
            if BEGINNING:
                time.sleep(PAUSE)
            if token == 0:  # never ends by itself
                time.sleep(3600)
            told = {"tokens": [token], "stop": False, "completion_probabilities": [_probable(token, asked["n_probs"])]}
            self._tell({**told, "index": place})
        self._tell({"tokens": [], "stop": True, "stop_type": "eos" if 99 in asked["prompt"] else "limit"})

    def _begin(self) -> None:
        self.send_response(200)
        self.end_headers()

    def _tell(self, event: Any) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *words: Any) -> None:
        pass


def _probable(token: int, count: int) -> Any:
    value = -5.0 if token == ord("?") else -0.5
    return {"logprob": value, "top_logprobs": [{"id": token + number, "logprob": value} for number in range(count)]}


def end_with_the_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
