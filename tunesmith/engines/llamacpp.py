"""llama.cpp through xllamacpp: a GGUF file answers in a child process of its own, on a local port with a key.

A child, because a crash of native code must not take the caller along, and because how threads wait is settled
before the library is loaded. The child ends when its standard input closes, so it never outlives its parent.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tunesmith.engines.gguf_widen import widened
from tunesmith.errors import MissingExtra, TunesmithError

START_TIMEOUT = 600.0  # seconds: a large model from a slow disk
ANSWER_TIMEOUT = 1800.0  # seconds: a long answer on a busy machine
#: The engine gives each sequence a multiple of this.
CONTEXT_STEP = 256
#: What the engine writes for bytes that are no whole character.
UNREADABLE = "\ufffd"


@dataclass(frozen=True)
class Completion:
    """A greedy answer. ``logprobs``: of each token, by the engine's own softmax over the whole vocabulary.

    Of a character that has several tokens the engine tells the last one's alone; None stands for the others'.
    ``tokens`` are without the end token. ``finished`` is False when the limit cut the answer.
    """

    tokens: list[int]
    text: str
    logprobs: list[float | None]
    finished: bool
    seconds: float


class LlamaCpp:
    """A running engine. Get one with `LlamaCpp.open`; use it as a context manager, or call `close`."""

    def __init__(self, process: subprocess.Popen[bytes], host: str, port: int, key: str, said: IO[bytes]) -> None:
        self._process, self._host, self._port, self._key, self._said = process, host, port, key, said

    @classmethod
    def open(cls, gguf: Path, *, context: int, threads: int, parallel: int = 1, wide: bool = False) -> LlamaCpp:
        """Start a child that serves ``gguf`` and wait until it has loaded it.

        ``context``: tokens for each of ``parallel`` sequences. With ``wide`` matrices of 16 bits are held with 32, the
        same numbers: the engine then computes in float32, where else it takes the other side of each product in 16
        bits too. Raises MissingExtra when xllamacpp is not installed, and TunesmithError ``engine_failed``, with the
        engine's last words, when it does not start.
        """
        require()
        key = secrets.token_urlsafe(24)
        each = -(-context // CONTEXT_STEP) * CONTEXT_STEP
        told = {"context": each * parallel, "threads": threads, "parallel": parallel, "key": key}
        with widened(gguf) if wide else nullcontext((gguf, ())) as (model, descriptors):
            process, said, address = _started({"model": str(model), **told}, descriptors, gguf)
        host, _, port = address.removeprefix("http://").partition(":")
        return cls(process, host, int(port), key, said)

    def __enter__(self) -> LlamaCpp:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> tuple[str, str]:
        """Where the engine listens, as a URL, and the key that it wants."""
        return f"http://{self._host}:{self._port}", self._key

    def kill(self) -> None:
        """End the child now, whatever it does; `close` is still to be called."""
        self._process.kill()

    def tokenize(self, text: str, special: bool = True) -> list[int]:
        """Token ids of a text; with ``special`` as for a prompt: control tokens known, a start token if the model
        wants one."""
        told = {"content": text, "add_special": special, "parse_special": special}
        return list(self._post("/tokenize", told)["tokens"])

    def prompt_tokens(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Token ids of a conversation by the chat template inside the GGUF: what a chat client's request becomes."""
        return self.tokenize(str(self._post("/apply-template", {"messages": list(messages)})["prompt"]))

    def complete(self, tokens: Sequence[int], max_new_tokens: int, stops: Sequence[str] = ()) -> Completion:
        """Answer a prompt greedily: the likeliest token at each step, no penalties."""
        began = time.perf_counter()
        told = {
            "prompt": list(tokens),
            "n_predict": max_new_tokens,
            "stop": list(stops),
            "samplers": ["top_k"],
            "top_k": 1,
            "temperature": 0,
            "n_probs": 1,
            "return_tokens": True,
            "cache_prompt": False,  # a reused prefix is computed in other batches, so its last bits differ
        }
        given = self._post("/completion", told)
        seconds = time.perf_counter() - began
        ids = list(given["tokens"])
        text = str(given["content"])
        logprobs = aligned(ids, given.get("completion_probabilities", []), text, self._text_of)
        if given["stop_type"] == "eos" and len(ids) == given["tokens_predicted"]:
            ids.pop()  # the end token itself
        finished = given["stop_type"] != "limit" and not given.get("truncated", False)
        return Completion(ids, text, logprobs[: len(ids)], finished, seconds)

    def _text_of(self, tokens: Sequence[int]) -> str:
        return str(self._post("/detokenize", {"tokens": list(tokens)})["content"])

    def _post(self, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_TIMEOUT)
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        try:
            connection.request("POST", path, json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(_last_words(self._said) or str(error)) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise self._failed(data.decode("utf-8", "replace")[:500])
        return json.loads(data)

    def _failed(self, words: str) -> TunesmithError:
        return TunesmithError(
            "engine_failed", f"llama.cpp did not answer: {words}", fix="try again; with a shorter input if it repeats"
        )

    def close(self) -> None:
        """End the child and wait for it."""
        _end(self._process)
        self._said.close()


def require() -> str:
    """The installed version of xllamacpp. Raises MissingExtra when there is none."""
    from importlib.metadata import version

    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingExtra("xllamacpp", "deploy")
    return f"xllamacpp {version('xllamacpp')}"


def aligned(
    ids: Sequence[int], told: Sequence[Mapping[str, Any]], text: str, text_of: Callable[[Sequence[int]], str]
) -> list[float | None]:
    """Log probabilities that the engine tells, at the places of their tokens; None where it tells none.

    It tells nothing before the last byte of a character, and then of that byte's token alone. ``text`` is the whole
    answer; ``text_of`` gives that of tokens, with U+FFFD for what is no whole character.
    """
    logprobs: list[float | None] = []
    begin = at = 0  # of the character that is not whole yet; of what is told
    for place, id in enumerate(ids):
        is_told = at < len(told) and told[at]["id"] == id
        if is_told and place > begin:  # the same token may stand within the character too
            so_far = text_of(ids[: place + 1])
            is_told = not so_far.endswith(UNREADABLE) or text.startswith(so_far)
        logprobs.append(float(told[at]["logprob"]) if is_told else None)
        if is_told:
            begin, at = place + 1, at + 1
    return logprobs


def _started(
    told: dict[str, Any], descriptors: Sequence[int], gguf: Path
) -> tuple[subprocess.Popen[bytes], IO[bytes], str]:
    """A child that has loaded the model, where its standard error goes, and its address."""
    said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the engine
    process = subprocess.Popen(
        [sys.executable, "-m", "tunesmith.engines.llamacpp_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        env=_environment(),
        pass_fds=descriptors,
    )
    try:
        assert process.stdin
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        return process, said, _listening(process)
    except BaseException as error:
        words = _last_words(said)
        _end(process)
        said.close()
        if isinstance(error, OSError | ValueError | EOFError):
            raise TunesmithError(
                "engine_failed",
                f"llama.cpp did not start: {words or error}",
                str(gguf),
                "export the model again; if it fails there too, the engine cannot run this model",
            ) from error
        raise


def _environment() -> dict[str, str]:
    """Threads that wait without spinning: on a shared machine spinning ones run many times slower."""
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    waiting = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    return {**waiting, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _listening(process: subprocess.Popen[bytes]) -> str:
    """Wait for the child to tell its address, the one line that it writes. Raises EOFError, TimeoutError."""
    assert process.stdout
    deadline = time.monotonic() + START_TIMEOUT
    while not select.select([process.stdout], [], [], 0.5)[0]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"it had not loaded the model after {START_TIMEOUT:.0f} seconds")
    line = process.stdout.readline().decode().strip()
    if not line.startswith("http://"):
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        raise EOFError(line or f"it ended with exit code {process.poll()}")
    return line


def _last_words(said: IO[bytes]) -> str:
    """The last lines that the child wrote on standard error."""
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - 4000))
    lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if process.stdin:
            process.stdin.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
