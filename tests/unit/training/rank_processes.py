"""Real processes that train together over gloo, as a launcher would start them, and what they are to do.

They are forked from a server that has loaded torch already, which saves seconds for each.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.unit.training import tiny
from tunesmith.errors import TunesmithError
from tunesmith.training.loop import Run
from tunesmith.training.ranks import Ranks
from tunesmith.training.row_batches import row_batches
from tunesmith.training.torch_ranks import joined
from tunesmith.training.tree_packing import trees

#: What a rank does: with its ranks, the folder of its test, and what the test wants of it.
Work = Callable[[Ranks, Path, Mapping[str, Any]], None]

SERVER = multiprocessing.get_context("forkserver")
MODELS = [f"transformers.models.{name}.modeling_{name}" for name in ("llama", "bert")]
SERVER.set_forkserver_preload([__name__, *MODELS])
LONGEST_WAIT = 60


@contextmanager
def launched(
    work: Work, folder: Path, size: int = 2, timeout: float = 60, missing: int = 0, **wanted: Any
) -> Iterator[list[Any]]:
    """So many processes at ``work``, the last so many not started at all; none outlives the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    told = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        SERVER.Process(target=_begin, args=({**told, "RANK": rank}, work, folder, timeout, wanted))
        for rank in range(size - missing)
    ]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def finish(work: Work, folder: Path, **wanted: Any) -> None:
    """Let the processes end by themselves. Fails when one does not, or ends with an error."""
    with launched(work, folder, **wanted) as processes:
        for process in processes:
            process.join(LONGEST_WAIT)
        assert [process.exitcode for process in processes] == [0] * len(processes)


def _begin(told: Mapping[str, Any], work: Work, folder: Path, timeout: float, wanted: Mapping[str, Any]) -> None:
    os.environ.update({name: str(value) for name, value in told.items()})
    torch.set_num_threads(1)
    rank = told["RANK"]
    try:
        with joined(timedelta(seconds=timeout)) as ranks:
            try:
                work(ranks, folder, wanted)
            except TunesmithError as error:
                if rank:
                    ranks.fail(error)  # type: ignore[attr-defined]
                raise
    except TunesmithError as error:
        (folder / f"error-{rank}.json").write_text(json.dumps([error.code, error.what]))


def make_run(kind: str, folder: Path, ranks: Ranks, **changes: Any) -> Run:
    """A run of a few steps on a tiny model: ``kind`` is causal_lm or classifier."""
    if kind == "classifier":
        recipe = tiny.recipe(30, criterion="accuracy", learning_rate=1e-2, **changes)
        model, rows, validation = tiny.classifier(), tiny.labelled_rows(30), tiny.labelled_rows(11, seed=1)
        return Run(model, rows, validation, partial(row_batches, budget=50, workers=2), recipe, folder, ranks)
    recipe = tiny.recipe(30, **changes)
    batches = partial(trees, budget=64, workers=2)
    return Run(tiny.trainable(), tiny.rows(30), tiny.rows(11, seed=1), batches, recipe, folder, ranks)


def digest(run: Run) -> str:
    """A hash of all weights, bit for bit."""
    found = hashlib.sha256()
    for _, tensor in sorted(run.model.trained_state().items()):
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def train(ranks: Ranks, folder: Path, wanted: Mapping[str, Any]) -> None:
    """Train to the end. Each rank writes what it was told, its weights after each step, and its ledger."""
    for kind in wanted.get("kinds", ["causal_lm"]):
        torch.manual_seed(ranks.rank)  # as of processes that have done different things before
        run = make_run(kind, folder / kind, ranks, checkpoint_seconds=wanted.get("checkpoint_seconds", 3600))
        if "not_finite_in" in wanted and ranks.rank == 1:
            _spoil(run, wanted["not_finite_in"])
        told = [{"kind": one.kind, **one.data, "weights": digest(run)} for one in run]
        said = {"told": told, "ledger": run.ledger_lines(), "skipped": run.state.skipped}
        (folder / f"{kind}-{ranks.rank}.json").write_text(json.dumps(said))
        if ranks.first:
            save_file(dict(run.model.trained_state()), folder / f"{kind}.safetensors")


def _spoil(run: Run, steps: list[int]) -> None:
    """Make the gradients of this rank infinite in some steps, and nothing else."""
    found = run.model.gradients

    def gradients(*arguments: Any) -> Any:
        told = found(*arguments)
        if run.state.step + 1 in steps:
            parameter = run.optimizer.param_groups[0]["params"][0]
            parameter.grad[0] = torch.inf
        return told

    run.model.gradients = gradients  # type: ignore[method-assign]


def lose(ranks: Ranks, folder: Path, wanted: Mapping[str, Any]) -> None:
    """Train until the last rank is lost after its third step, in the way that is wanted."""
    run = make_run("causal_lm", folder / "run", ranks, steps=1000, validate_every=1000)
    for one in run:
        if one.kind == "step" and one.data["step"] == 3 and ranks.rank == ranks.size - 1:
            if wanted["way"] == "raise":
                raise TunesmithError("out_of_luck", "the disk of this machine is gone")
            os.kill(os.getpid(), signal.SIGSTOP if wanted["way"] == "stop" else signal.SIGKILL)


def drift(ranks: Ranks, folder: Path, wanted: Mapping[str, Any]) -> None:
    """Train with one bit of one weight changed in the last rank after the third step."""
    run = make_run("causal_lm", folder / "run", ranks, checkpoint_seconds=0)
    for one in run:
        if one.kind == "step" and one.data["step"] == 3 and ranks.rank == ranks.size - 1:
            weight = next(iter(run.model.trained_state().values()))
            weight.view(-1)[0] = torch.nextafter(weight.view(-1)[0], torch.tensor(9.0))


def exchange(ranks: Ranks, folder: Path, wanted: Mapping[str, Any]) -> None:
    """Say what each exchange gave this rank."""
    rank = ranks.rank
    parameters = [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(3)]
    parameters[0].grad = torch.full((2, 2), 1.0 + rank)
    if rank == 1:
        parameters[1].grad = torch.full((2, 2), 5.0)
    ranks.sum_gradients(parameters)
    tensors = {"half": torch.full((3,), 0.5, dtype=torch.bfloat16), "number": torch.tensor(7), "none": torch.zeros(0)}
    spread = ranks.spread(tensors if rank == 0 else {})
    said = {
        "gradients": [one.grad if one.grad is None else one.grad.tolist() for one in parameters],
        "gathered": [part.tolist() for part in ranks.gather(torch.arange(rank * 2).view(-1, 1))],
        "facts": ranks.gather_facts({"rank": rank, "words": "é" * rank}),
        "long": ranks.gather_facts("é" * 3000 * rank),
        "told": ranks.tell({"from": rank}),
        "told long": ranks.tell(["x" * 20_000, rank]),
        "broadcast": ranks.broadcast(torch.tensor([float(rank + 1)])).tolist(),
        "transposed": ranks.broadcast(torch.tensor([[1, 2], [3, 4]]).T * (rank == 0)).tolist(),
        "spread": {name: [str(one.dtype), one.tolist()] for name, one in spread.items()},
        "share": list(ranks.share(range(5))),
    }
    (folder / f"exchange-{rank}.json").write_text(json.dumps(said))


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def wait_until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + LONGEST_WAIT
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
