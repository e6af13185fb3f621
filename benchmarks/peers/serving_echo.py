"""Our whole server over an engine that answers at once, in a process of its own as llama.cpp is.

`serving_echo.py engine` is the engine: it speaks llama.cpp's protocol and gives the prompt's tokens back, four of
them. Without a word it is the server, which tells both addresses and keys.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TOKENS = 4
KEY = "echo"


class Engine:
    """What `engines.llamacpp.LlamaCpp` is to the server: a child that tells its address, and ends with its input."""

    def __init__(self, *script: str) -> None:
        command = [sys.executable, *script]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip(), KEY

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Bytes:
    """Token ids are bytes."""

    def of_messages(self, messages: Sequence[Any]) -> list[int]:
        return list("\n".join(message.text for message in messages).encode())

    def of_text(self, text: str) -> list[int]:
        return list(text.encode())

    def text_of(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    def piece(self, token: int) -> str:
        return bytes([token]).decode("utf-8", "replace")


def answer_at_once() -> None:
    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive()).get("more_body", False):
            body += message["body"]
        body += message.get("body", b"")
        kind = b"text/event-stream" if scope["method"] == "POST" else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if scope["method"] == "POST":
            for token in json.loads(body)["prompt"][:TOKENS]:
                probable = [{"logprob": -0.1, "top_logprobs": [{"id": token, "logprob": -0.1}]}]
                told = {"tokens": [token], "stop": False, "completion_probabilities": probable}
                event = f"data: {json.dumps(told)}\n\n".encode()
                await send({"type": "http.response.body", "body": event, "more_body": True})
            last = b'data: {"tokens": [], "stop": true, "stop_type": "eos"}\n\n'
            await send({"type": "http.response.body", "body": last})
        else:
            await send({"type": "http.response.body", "body": b"{}"})

    from tunesmith.server.start import bind, listen

    listener = bind("127.0.0.1", 0)
    listen(listener)
    sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[listener])


def serve() -> None:
    from tunesmith.deployment.tables import open_state
    from tunesmith.products import BaseModel, GoalSheet, TunedModel
    from tunesmith.server.door import Bounds
    from tunesmith.server.keys import Keys, Limits
    from tunesmith.server.limits import Gate
    from tunesmith.server.llamacpp import LlamaCppText
    from tunesmith.server.registry import Registry
    from tunesmith.server.served import ServedText
    from tunesmith.server.site import Site
    from tunesmith.server.start import bind, listen, run
    from tunesmith.server.version import Version

    folder = Path(tempfile.mkdtemp(prefix="tunesmith-echo-"))
    goal = GoalSheet("text", "text", "Be kind.")
    base = BaseModel("base", "causal_lm", Path(), 1, 2000, "mit", ("en",), "made", "0" * 64, "", False)
    tuned = TunedModel(Path(), "none", {}, (), {}, {})
    version = Version("echo", "e0123456789", goal, base, tuned, TOKENS, False, 1.0, None)
    engine = Engine(__file__, "engine")
    text = LlamaCppText(lambda: engine, 4, 256, [65], lambda schema: None)  # type: ignore[arg-type, return-value]
    served = ServedText(version, text, Bytes(), Gate(4, 1000), 2000, Site("echo", open_state(folder)))
    keys = Keys(folder / "keys.json")
    key = keys.make("bench", Limits(at_once=1000))
    listener = bind("127.0.0.1", 0)
    listen(listener)
    url, own = engine.address
    told = {
        "server": {"url": f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "key": key},
        "engine": {"url": url, "key": own},
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    run(Registry([served]), keys, listener, Bounds())


if __name__ == "__main__":
    answer_at_once() if sys.argv[1:] == ["engine"] else serve()
