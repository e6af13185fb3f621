"""Each method's losses are what they were: a fixed seed, tiny bases, eight steps (golden.py writes the file anew).

The tolerance. All is float32 on weights that are the same to the bit everywhere (numpy's frozen stream). What may
differ between machines is the order of sums: vector width, threads, libraries. That moves a loss by some 1e-7 of
itself, and eight steps of AdamW by up to 2e-6 (the largest difference from the textbook loop of test_textbook.py,
which sums in another order throughout). 2e-5 is ten times that, and far below what a change of the method does:
the last test holds one that is small.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.training.golden import FILE, STEPS
from tests.unit.training.methods import METHODS, Base, losses, make_run

TOLERANCE = 2e-5
GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(tmp_path_factory.mktemp("bases"))


def test_every_method_has_its_golden_losses() -> None:
    assert list(GOLDEN) == list(METHODS)
    assert {len(curve) for curve in GOLDEN.values()} == {STEPS}


@pytest.mark.parametrize("method", METHODS)
def test_the_losses_are_the_golden_ones(base: Base, tmp_path: Path, method: str) -> None:
    assert losses(make_run(method, base, tmp_path), STEPS) == pytest.approx(GOLDEN[method], rel=TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
def test_a_small_change_of_the_method_is_noticed(base: Base, tmp_path: Path, method: str) -> None:
    """AdamW without its weight decay of a hundredth moves the losses by 3e-5 to 5e-4."""
    found = losses(make_run(method, base, tmp_path, weight_decay=0.0), STEPS)
    assert found != pytest.approx(GOLDEN[method], rel=TOLERANCE)
