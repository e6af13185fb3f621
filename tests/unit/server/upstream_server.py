"""The double server with models that are at another: `python -m tests.unit.server.upstream_server FOLDER OPTIONS`.

The model `ids` is asked by token ids, `words` by messages; each must say "proof" again before it answers anybody.
`ruled` is asked by messages too, and has rules. OPTIONS is JSON: ``url`` and ``timeout`` of the upstream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.unit.server.double_server import CONTEXT, END, Bytes, main, open_double_site, version
from tests.unit.server.guarded_server import site
from tunesmith.engines.openai_endpoint import Endpoint
from tunesmith.engines.upstream import Kind, Upstream
from tunesmith.generation import Sampling
from tunesmith.server.limits import Gate
from tunesmith.server.served import Served, ServedChat, ServedText
from tunesmith.server.site import Site
from tunesmith.server.upstream import Proven, UpstreamChat, UpstreamText

PROOF = "proof"
RULES: list[dict[str, Any]] = [
    {"name": "private", "private": "all"},
    {"name": "codes", "patterns": ["[A-Z]{2}-[0-9]{4}"], "where": "after", "do": "refuse", "text": "No codes."},
]


def no_schema(schema: Any) -> None:
    """Every schema can be enforced."""


def proven(inner: Any, ask: Callable[[Any], Any]) -> Any:
    async def check() -> str | None:
        return None if await ask(inner) == PROOF else "the answer to row 1 is another"

    return Proven(inner, check)


async def by_ids(engine: UpstreamText) -> str:
    written = [token.id async for token in engine.write(list(PROOF.encode()), Sampling(10)) if not token.is_end]
    return bytes(written).decode()


async def by_words(engine: UpstreamChat) -> str:
    asked = {"max_tokens": 10, "temperature": 0}
    return "".join([piece.text async for piece in engine.write([{"role": "user", "content": PROOF}], asked)])


def models(folder: Path, waiting: int, url: str, timeout: float = 2.0) -> list[Served]:
    def at(kind: Kind) -> Upstream:
        return Upstream(kind, Endpoint("upstream", url, "m", None, timeout, 2, 1, {}, "serve.upstream"))

    def chat(name: str, site: Site) -> ServedChat:
        made = version(name, "text")
        engine = proven(UpstreamChat(at("openai")), by_words)
        return ServedChat(made, engine, Bytes(), Gate(2, waiting), CONTEXT, site)

    double = open_double_site(folder)
    text = proven(UpstreamText(at("vllm"), END, [97], no_schema), by_ids)
    return [
        ServedText(version("ids", "text"), text, Bytes(), Gate(2, waiting), CONTEXT, double),
        chat("words", double),
        chat("ruled", replace(site("ruled", *RULES), state=double.state)),
    ]


if __name__ == "__main__":
    main(models)
