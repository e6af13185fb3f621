"""What every process but the first does of a run: wait, and take its share of the training.

The first (`pipeline/run.py`) makes all stages, and holds the project. It orders a training by facts: which
artifacts, which recipe. The others read these artifacts, so they must see the same disk, and write nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tunesmith.artifact import Store
from tunesmith.errors import InputError
from tunesmith.pipeline.order import BY_NAME, open_product
from tunesmith.stages.context import Context
from tunesmith.threads import be_patient
from tunesmith.training.torch_ranks import TorchRanks, joined


def follow() -> None:
    """Take part until the first process ends, however it does: it tells the user.

    Raises what went wrong here when the first is gone, or does not notice.
    """
    be_patient()
    with joined() as ranks, stopped_by_the_first() as asked:
        if not isinstance(ranks, TorchRanks):
            return
        try:
            for order in ranks.orders(asked):
                _share(order, ranks)
        except Exception as error:
            if not ranks.fail(error):
                raise


def _share(order: Mapping[str, Any], ranks: TorchRanks) -> None:
    stage = BY_NAME["train"]
    folder = Path(order["folder"])
    store = Store(folder.parents[1])
    inputs = {}
    for name, id in order["made"].items():
        artifact = store.find(name, id)
        if artifact is None:
            raise InputError(
                "training_ranks_apart",
                f"rank {ranks.rank} does not see what the stage {name!r} made",
                str(store.folder(name, id)),
                "the project must lie on a disk that all machines share, under the same path",
            )
        inputs[name] = open_product(BY_NAME[name], artifact, stage)
    stage.module.share(inputs, order, Context(stage.name, store.root.parent, folder, Path(), ranks=ranks))


@contextmanager
def stopped_by_the_first() -> Iterator[Callable[[], bool]]:
    """Leave it to the first process when to stop: Ctrl-C reaches all, and all stop after the same step.

    SIGTERM is noted: it also comes when the first is gone.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, frame: asked.set()),
    }
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
