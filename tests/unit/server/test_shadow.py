"""What a version answers in the shadow is nobody's answer: that it cannot be kept stops nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from tests.unit.server.double_server import CONTEXT, Bytes, version
from tunesmith.deployment.exchange import Exchange
from tunesmith.errors import TunesmithError
from tunesmith.server.call import Call
from tunesmith.server.keys import Key
from tunesmith.server.limits import Gate, Limiter
from tunesmith.server.served import ServedText
from tunesmith.server.shadow import Asked, Shadowing
from tunesmith.server.site import Site


async def nothing(shadow: Any, call: Call) -> None:
    call.exchange.answers.append("a")


def test_a_disk_that_is_full_for_a_while_ends_neither_the_shadow_nor_the_server() -> None:
    kept: list[Any] = []
    failures = [TunesmithError("disk_full", "the disk is full"), None]

    async def write(work: Any) -> None:
        if (failure := failures.pop(0)) is not None:
            raise failure
        kept.append(work)

    async def run() -> list[str]:
        one = ServedText(version("echo", "text"), None, Bytes(), Gate(1, 1), CONTEXT, Site("echo"))  # type: ignore[arg-type]
        shadowing = Shadowing(SimpleNamespace(write=write))  # type: ignore[arg-type]
        shadowing.start()
        over: list[str] = []
        done = asyncio.Event()
        for name in ("first", "second"):
            call = Call(Key("k", "0", 0.0), Exchange(f"req-{name}", "/v1/chat/completions", "k"), Limiter())

            def let_go(name: str = name) -> None:
                over.append(name)
                if name == "second":
                    done.set()

            shadowing.put(Asked(1, one, one, call, nothing, let_go))
        async with asyncio.timeout(30):
            await done.wait()
        await shadowing.close()
        return over

    assert asyncio.run(run()) == ["first", "second"]
    assert len(kept) == 1
