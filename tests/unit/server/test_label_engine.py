"""Rows that come one by one are scored together with those that come meanwhile, each as it would be by itself."""

from __future__ import annotations

import asyncio
import threading

import pytest
import uvloop

from tunesmith.server import engines
from tunesmith.server.engines import FEW, ROWS_AT_ONCE, WORTH_A_THREAD, LabelEngine


class Held:
    """Scores a row by its sum, when it is let."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.prepared: list[str] = []
        self.let = threading.Event()

    def prepare(self) -> None:
        self.prepared.append(threading.current_thread().name)

    def score(self, rows, *, vectors=False):
        self.batches.append(len(rows))
        assert self.let.wait(10)
        if any(sum(row) < 0 for row in rows):
            raise ValueError("a row that cannot be scored")
        return [([float(sum(row))], [1.0] if vectors else []) for row in rows]


class Stepwise(Held):
    """Scores a batch for each turn that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = threading.Semaphore(0)

    def score(self, rows, *, vectors=False):
        self.batches.append(len(rows))
        assert self.turns.acquire(timeout=10)
        return [([float(sum(row))], []) for row in rows]


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(engines, "LONGEST_WAIT", 60.0)
    monkeypatch.setattr(engines, "SHORT_WAIT", 60.0)


def test_each_row_gets_its_own_score_and_batches_gather_while_others_compute():
    held = Held()

    async def ask() -> list[float]:
        engine = LabelEngine(held, 2, held.prepare)
        asked = [asyncio.create_task(engine.score([[number]])) for number in range(200)]
        await asyncio.sleep(0.05)
        assert held.batches == [1, WORTH_A_THREAD]  # a further thread begins where that is worth it, and not before
        held.let.set()
        found = [scored.probabilities[0] for rows in await asyncio.gather(*asked) for scored in rows]
        await engine.close()
        return found

    assert asyncio.run(ask()) == [float(number) for number in range(200)]
    assert sum(held.batches) == 200
    assert max(held.batches) == ROWS_AT_ONCE
    assert len(set(held.prepared)) == len(held.prepared) == 2


def test_few_rows_wait_for_the_batch_before():
    held = Held()

    async def ask() -> None:
        engine = LabelEngine(held, 2)
        asked = [asyncio.create_task(engine.score([[number]])) for number in range(WORTH_A_THREAD)]
        await asyncio.sleep(0.05)
        assert held.batches == [1]
        held.let.set()
        await asyncio.gather(*asked)
        assert held.batches == [1, WORTH_A_THREAD - 1]
        assert [scored.vector for scored in await engine.score([[1], [2]], vectors=True)] == [[1.0], [1.0]]
        await engine.close()

    asyncio.run(ask())


@pytest.mark.parametrize(("before", "wait"), [(1, "SHORT_WAIT"), (FEW - 1, "SHORT_WAIT"), (FEW, "LONGEST_WAIT")])
def test_they_wait_for_a_short_time_beside_few_rows_and_not_long_beside_many(before, wait, monkeypatch):
    monkeypatch.setattr(engines, wait, 0.1)
    held = Held()

    async def ask() -> None:
        engine = LabelEngine(held, 2)
        asked = [asyncio.create_task(engine.score([[1]] * before))]
        await asyncio.sleep(0)
        asked += [asyncio.create_task(engine.score([[number]])) for number in range(3)]
        await asyncio.sleep(0.02)
        assert held.batches == [before]
        async with asyncio.timeout(10):
            while held.batches != [before, 3]:
                await asyncio.sleep(0.01)
        held.let.set()
        await asyncio.gather(*asked)
        await engine.close()

    asyncio.run(ask())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_short_wait_is_not_made_long_by_one_before_it(run, monkeypatch):
    monkeypatch.setattr(engines, "SHORT_WAIT", 0.05)
    held = Stepwise()

    async def ask() -> None:
        engine = LabelEngine(held, 2)
        asked = [asyncio.create_task(engine.score([[1]] * FEW))]
        await asyncio.sleep(0)
        asked.append(asyncio.create_task(engine.score([[2]])))
        await asyncio.sleep(0.02)
        assert held.batches == [FEW]
        held.turns.release()
        async with asyncio.timeout(10):
            while held.batches != [FEW, 1]:
                await asyncio.sleep(0.01)
            asked.append(asyncio.create_task(engine.score([[3]])))
            while held.batches != [FEW, 1, 1]:
                await asyncio.sleep(0.01)
        held.turns.release(2)
        await asyncio.gather(*asked)
        await engine.close()

    run(ask())


def test_who_gives_up_is_left_out_and_a_failure_is_that_of_its_batch_alone():
    held = Held()

    async def ask() -> None:
        engine = LabelEngine(held)
        first = asyncio.create_task(engine.score([[-1]]))
        await asyncio.sleep(0.05)
        gone, stays = (asyncio.create_task(engine.score([[number]])) for number in (1, 2))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
        held.let.set()
        with pytest.raises(ValueError, match="cannot be scored"):
            await first
        [scored] = await stays
        assert scored.probabilities == [2.0]
        assert held.batches == [1, 1]
        await engine.close()
        with pytest.raises(RuntimeError):
            await engine.score([[3]])

    asyncio.run(ask())
