"""A process that hands off request after request and says which are kept: `python -m …keeper FOLDER`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.unit.deployment.people_doubles import exchange, said
from tunesmith.deployment.feedback import FeedbackBook
from tunesmith.deployment.inbox import HandOffQueue
from tunesmith.deployment.people_settings import FeedbackSettings, HandOffSettings
from tunesmith.deployment.tables import open_state


async def main() -> None:
    state = open_state(Path(sys.argv[1]))
    queue, book = HandOffQueue(state, HandOffSettings()), FeedbackBook(state, FeedbackSettings())

    async def one(number: int) -> None:
        asked = exchange(f"req-{number}")
        ticket = await queue.take(asked, "low_confidence")
        await book.record(asked)
        kept, _ = await book.add(await book.find(asked.id, asked.key), said(asked.id))
        sys.stdout.write(f"{ticket} {kept.id}\n")
        sys.stdout.flush()

    number = 0
    while True:
        await asyncio.gather(*(one(number + place) for place in range(8)))
        number += 8


if __name__ == "__main__":
    asyncio.run(main())
