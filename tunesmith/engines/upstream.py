"""A server with OpenAI's API that answers in a model's place: asked for a stream, read event by event.

Nothing of it is taken on trust: how long it may be silent, how large an event may be and what it must look like are
bounded here. Its key comes from the environment, is sent to it alone (redirects are not followed), and stands in no
message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tunesmith.engines.openai_endpoint import Endpoint, key_of

if TYPE_CHECKING:
    import httpx2

Kind = Literal["vllm", "openai"]
Code = Literal["upstream_down", "upstream_odd", "upstream_refuses"]

#: Seconds in which a connection must be there.
CONNECT_SECONDS = 5.0
#: Bytes of one event, or of an answer that does not come as a stream.
EVENT_BYTES = 2**20
#: Bytes of a refusal that are read, and characters of it that are told.
_REFUSAL_BYTES, _TOLD = 8192, 300
#: Seconds after which one may come again, where the server says nothing; and at most.
RETRY_SECONDS, LONGEST_RETRY = 2.0, 300.0
#: Seconds for what comes behind an answer that has ended: its usage, and the end of the stream.
REST_SECONDS = 2.0
#: What a request may be answered with when it is at fault itself.
_REQUESTS_FAULT = (400, 413, 422)
#: What may be over when one comes again.
_PASSING = (408, 409, 425, 429)


@dataclass(frozen=True)
class Upstream:
    """A server, and how it is asked: ``vllm`` by token ids, ``openai`` by messages."""

    kind: Kind
    endpoint: Endpoint

    @property
    def told(self) -> dict[str, Any]:
        """What its answers hang on, as plain JSON: the same, the same answers."""
        known = asdict(self.endpoint)
        return {"kind": self.kind, **{name: known[name] for name in ("url", "model", "options")}}

    @property
    def words(self) -> str:
        by = "token ids" if self.kind == "vllm" else "messages"
        return f"{self.endpoint.model} of {self.endpoint.url}, asked by {by}"


class UpstreamError(Exception):
    """``code``: ``upstream_down`` (away, too slow, broken off: it may be over soon), ``upstream_odd`` (it answers, but
    not as such a server does), ``upstream_refuses`` (this request it does not take).

    ``what`` says so without a word of a client's; ``said`` is what the server said, which may hold some. ``gone``:
    there is no connection, so what answers next may be another server.
    """

    def __init__(
        self, code: Code, what: str, said: str = "", retry_after: float | None = None, *, gone: bool = False
    ) -> None:
        super().__init__(what)
        self.gone = gone
        self.code: Code = code
        self.what = what
        self.said = said
        self.retry_after = RETRY_SECONDS if retry_after is None else min(retry_after, LONGEST_RETRY)


@dataclass
class Wire:
    """Requests to one upstream, in one event loop. ``close`` ends its connections."""

    upstream: Upstream
    _client: httpx2.AsyncClient | None = field(default=None, repr=False)

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """What it answers, as it comes; an answer that is no stream is one event.

        Whoever stops reading ends the answer there too. Raises UpstreamError.
        """
        import httpx2

        for again in (False, True):
            began = False
            try:
                async with aclosing(self._once(path, body)) as events:
                    async for event in events:
                        began = True
                        yield event
                return
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
                if began or again:  # else it had closed a connection that was kept open, which is found out so
                    raise self._down(f"broke off the connection ({type(error).__name__})", gone=True) from error
            except TimeoutError as error:
                raise self._down(f"was silent for {self._seconds:g} s") from error
            except httpx2.ConnectTimeout as error:
                raise self._down(f"cannot be reached within {CONNECT_SECONDS:g} s", gone=True) from error
            except httpx2.TimeoutException as error:
                raise self._down(f"was silent for {self._seconds:g} s") from error
            except (httpx2.TransportError, httpx2.StreamError) as error:
                raise self._down(f"cannot be reached ({type(error).__name__})", gone=True) from error
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise UpstreamError("upstream_odd", f"the upstream cannot be read ({type(error).__name__})") from error

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def _seconds(self) -> float:
        return self.upstream.endpoint.timeout

    def _opened(self) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            key = key_of(self.upstream.endpoint)
            # packed answers would be unpacked without a bound
            headers = {"accept-encoding": "identity", **({"authorization": f"Bearer {key}"} if key else {})}
            self._client = httpx2.AsyncClient(
                headers=headers,
                timeout=httpx2.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)),
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=self.upstream.endpoint.at_once),
                follow_redirects=False,
            )
        return self._client

    async def _once(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        address = self.upstream.endpoint.url.rstrip("/") + path
        async with self._opened().stream("POST", address, json=body) as response:
            if response.status_code != 200:
                raise await self._refused(response)
            if response.headers.get("content-type", "").startswith("application/json"):
                yield self._read(await _bounded(response, EVENT_BYTES, self._seconds))
                return
            told = False
            async with aclosing(_data(response, self._seconds)) as found:
                async for data in found:
                    told = True
                    if data == b"[DONE]":
                        break
                    yield self._read(data)
                if not told:
                    raise UpstreamError("upstream_odd", "the upstream answers with something else than events")
                # a stream that is read to its very end leaves its connection for the next
                with suppress(TimeoutError):
                    async with asyncio.timeout(REST_SECONDS):
                        async for _ in found:
                            pass

    def _read(self, data: bytes) -> dict[str, Any]:
        """One event. Raises UpstreamError for what is none, and where it tells of an error."""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UpstreamError("upstream_odd", "the upstream answers with something else than JSON") from error
        if not isinstance(event, dict):
            raise UpstreamError("upstream_odd", "the upstream answers with something else than a completion")
        if event.get("error"):
            raise self._down("failed at this answer", self._safe(json.dumps(event["error"])))
        return event

    async def _refused(self, response: httpx2.Response) -> UpstreamError:
        status = response.status_code
        body = await _bounded(response, _REFUSAL_BYTES, self._seconds)
        said = self._safe(_words(body))
        if status in _REQUESTS_FAULT:
            return UpstreamError("upstream_refuses", f"the upstream refuses this request ({status})", said)
        if status in _PASSING or status >= 500:
            return self._down(f"answered {status}", said, _wished(response))
        why = {401: "refuses the key", 403: "refuses the key", 404: "knows no such model or route"}.get(status)
        return UpstreamError("upstream_odd", f"the upstream {why or 'answered something odd'} ({status})", said)

    def _down(
        self, what: str, said: str = "", retry_after: float | None = None, *, gone: bool = False
    ) -> UpstreamError:
        return UpstreamError("upstream_down", f"the upstream {what}", said, retry_after, gone=gone)

    def _safe(self, words: str) -> str:
        """The beginning of the words without the key, should a server repeat it."""
        key = key_of(self.upstream.endpoint)
        return (words.replace(key, "(the key)") if key else words)[:_TOLD]


def _words(body: bytes) -> str:
    """What a refusal says: the message in OpenAI's envelope, or its text."""
    text = body.decode("utf-8", "replace")
    try:
        told = json.loads(text)
        told = told.get("error", told)
        text = str(told.get("message", text) if isinstance(told, dict) else told)
    except (ValueError, AttributeError, RecursionError):
        pass
    return " ".join(text.split())


def _wished(response: httpx2.Response) -> float | None:
    """The seconds that the server asks to wait."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "")))
    except ValueError:
        return None


async def _bounded(response: httpx2.Response, most: int, seconds: float) -> bytes:
    """The body, or as much of it as may be."""
    body = b""
    async with asyncio.timeout(seconds):
        async for part in response.aiter_bytes():
            body += part
            if len(body) >= most:
                break
    return body[:most]


async def _data(response: httpx2.Response, seconds: float) -> AsyncGenerator[bytes]:
    """What stands behind ``data:`` in each line of server-sent events. Raises TimeoutError where none comes in time,
    however many comments do."""
    rest = b""
    deadline = asyncio.get_running_loop().time() + seconds
    async with aclosing(response.aiter_bytes()) as parts:  # type: ignore[type-var]
        while True:
            async with asyncio.timeout_at(deadline):
                part = await anext(parts, None)
            if part is None:
                return
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > EVENT_BYTES:
                raise UpstreamError("upstream_odd", f"the upstream sends events of more than {EVENT_BYTES:,} bytes")
            for line in lines:
                if line.startswith(b"data:"):
                    yield line.removeprefix(b"data:").strip()
                    deadline = asyncio.get_running_loop().time() + seconds
