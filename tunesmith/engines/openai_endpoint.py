"""A server that speaks OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat/create

The key comes from the environment, is sent to this server alone (redirects are not followed), and stands in no
message. Requests that may succeed later (429, 5xx, a broken connection) are tried again, ever later.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tunesmith.errors import InputError, TunesmithError

if TYPE_CHECKING:
    import httpx2

PATH = "/chat/completions"
#: Seconds before the second try; each later one waits twice as long.
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
#: Characters of a server's own words that are told.
_TOLD = 200

Conversation = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Endpoint:
    """``url`` up to and without /chat/completions. ``key_env``: the variable with the key; None sends none.

    ``timeout``: seconds for one try. ``at_once``: requests under way together. ``options``: further keys of each
    request; one that is None takes a key of ours out. ``where``: the settings that it comes from.
    """

    name: str
    url: str
    model: str
    key_env: str | None = None
    timeout: float = 60.0
    at_once: int = 4
    tries: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str = "test.endpoints"

    @property
    def address(self) -> str:
        bare = self.url.rstrip("/")
        return bare if bare.endswith(PATH) else bare + PATH


@dataclass(frozen=True)
class Reply:
    """One answer. ``tokens`` as the server counts them, 0 where it does not; ``seconds`` with all tries."""

    text: str
    tokens: int
    seconds: float
    finished: bool


def check_address(url: str) -> str:
    """The address of a server as it stands in a settings file. Raises ValueError for what is none, or holds a key."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"this is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ValueError("this must be an address that begins with https:// or http://, without ? and #")
    if parts.username or parts.password:
        raise ValueError("a key does not belong into the file: name a variable of the environment in key_env")
    return url


def key_of(endpoint: Endpoint) -> str | None:
    """The key that the endpoint wants, from the environment; None where it wants none.

    Raises InputError ``endpoint_key_missing`` when the environment has none.
    """
    if endpoint.key_env is None:
        return None
    key = os.environ.get(endpoint.key_env, "").strip()
    if not key:
        raise InputError(
            "endpoint_key_missing",
            f"the endpoint {endpoint.name!r} needs a key, and the environment has none in {endpoint.key_env}",
            f"tunesmith.yaml: {endpoint.where}",
            f"export {endpoint.key_env}=… ; never write a key into the file",
        )
    return key


def ask(
    endpoint: Endpoint,
    conversations: Sequence[Conversation],
    *,
    max_tokens: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    sleep: Callable[[float], object] | None = None,
) -> list[Reply]:
    """The server's answer to each conversation, in their order, at temperature 0.

    ``on_progress`` is called in this thread, and what it raises ends the asking. ``sleep`` waits between two tries;
    without one that is a wait which the end of the asking cuts short. Raises InputError or TunesmithError for the
    first request that fails for good.
    """
    import httpx2

    key = key_of(endpoint)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    replies: dict[int, Reply] = {}
    stop = threading.Event()

    def one(number: int) -> Reply:
        body = _body(endpoint, conversations[number], max_tokens)
        return _Request(client, endpoint, key, body, stop, sleep or stop.wait).reply()

    with (
        httpx2.Client(headers=headers, timeout=endpoint.timeout, follow_redirects=False) as client,
        ThreadPoolExecutor(endpoint.at_once, "endpoint") as pool,
    ):
        waiting = {pool.submit(one, number): number for number in range(len(conversations))}
        try:
            while waiting:
                done, _ = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in done:
                    replies[waiting.pop(future)] = future.result()
                on_progress(len(replies), len(conversations))
        finally:
            stop.set()
            for future in waiting:
                future.cancel()
    return [replies[number] for number in range(len(conversations))]


def _body(endpoint: Endpoint, conversation: Conversation, max_tokens: int) -> dict[str, Any]:
    plain = {"model": endpoint.model, "messages": list(conversation), "max_tokens": max_tokens, "temperature": 0}
    return {name: value for name, value in {**plain, **endpoint.options}.items() if value is not None}


@dataclass(frozen=True)
class _Request:
    client: httpx2.Client
    endpoint: Endpoint
    key: str | None
    body: Mapping[str, Any]
    stop: threading.Event
    sleep: Callable[[float], object]

    def reply(self) -> Reply:
        """Try until there is an answer, or a reason to give up."""
        import httpx2

        began = time.monotonic()
        why = ""
        for tried in range(self.endpoint.tries):
            if self.stop.is_set():
                raise RuntimeError("the asking has ended")  # nobody waits for it any more
            wished = None
            try:
                response = self.client.post(self.endpoint.address, json=self.body)
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                why = f"{type(error).__name__}: {error}"
            else:
                if response.status_code not in (408, 409, 429) and response.status_code < 500:
                    return self._read(response, began)
                why, wished = self._told(response), _wished(response)
            if tried + 1 == self.endpoint.tries:
                break
            self.sleep(min(LONGEST_WAIT, wished or FIRST_WAIT * 2**tried * random.uniform(1.0, 1.5)))
        raise TunesmithError(
            "endpoint_unreachable",
            f"{self.endpoint.name} gave no answer in {self.endpoint.tries} tries; the last ended so: {self._safe(why)}",
            self.endpoint.address,
            "see that the server is there and not overloaded (fewer at_once, a longer timeout), then run it again: "
            "answers that came are kept",
        )

    def _read(self, response: httpx2.Response, began: float) -> Reply:
        if response.status_code in (401, 403):
            told = f"the variable {self.endpoint.key_env}" if self.endpoint.key_env else "key_env, which is not given"
            raise InputError(
                "endpoint_refused", f"{self.endpoint.name} refused the key: {self._told(response)}",
                self.endpoint.address, f"check {told}",
            )  # fmt: skip
        if response.status_code != 200:
            raise InputError(
                "endpoint_rejected", f"{self.endpoint.name} cannot do what it was asked: {self._told(response)}",
                self.endpoint.address, "check url and model; `options: {KEY: null}` takes out what it does not know",
            )  # fmt: skip
        try:
            told = response.json()
            choice = told["choices"][0]
            text = choice["message"]["content"] or ""
            tokens = int((told.get("usage") or {}).get("completion_tokens") or 0)
            if not isinstance(text, str):
                raise TypeError(text)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise TunesmithError(
                "endpoint_odd_answer",
                f"{self.endpoint.name} answered with something else than a chat completion: {self._told(response)}",
                self.endpoint.address,
                "check that the url is that of an OpenAI-compatible API, such as https://host/v1",
            ) from error
        return Reply(text, tokens, time.monotonic() - began, choice.get("finish_reason") != "length")

    def _told(self, response: httpx2.Response) -> str:
        words = " ".join(response.text[: 4 * _TOLD].split())
        return self._safe(f"{response.status_code} {response.reason_phrase} {words}".strip()[:_TOLD])

    def _safe(self, words: str) -> str:
        """The words without the key, should a server repeat it."""
        return words.replace(self.key, "(the key)") if self.key else words


def _wished(response: httpx2.Response) -> float | None:
    """The seconds that the server asks to wait."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None
