"""`base: {model: scratch}`: its settings, its sizes, and its place in the order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tunesmith.errors import InputError
from tunesmith.pipeline.order import FROM_SCRATCH, TUNING, order_for, upstream
from tunesmith.project_file import ProjectSettings
from tunesmith.stages.base.machine import Machine
from tunesmith.stages.base.run import check, fingerprint, refetch
from tunesmith.stages.base.settings import BaseSettings
from tunesmith.stages.base.sizes import parameters_for, vocabulary_for

LAPTOP = Machine(cores=2, memory=8000, cuda=False)


@pytest.mark.parametrize(
    ("written", "parameters"),
    [
        ("5M", 5_000_000),
        ("300k", 300_000),
        ("1.5B", 1_500_000_000),
        (70_000, 70_000),
        ("70000", 70_000),
        ("auto", "auto"),
    ],
)
def test_a_size_can_be_written_as_people_write_it(written: object, parameters: object) -> None:
    assert BaseSettings(model="scratch", parameters=written).parameters == parameters  # type: ignore[arg-type]


@pytest.mark.parametrize("written", ["five", "5X", "", 12, -1, 3.5, True, "0.5"])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValidationError, match="such as 5M"):
        BaseSettings(model="scratch", parameters=written)  # type: ignore[arg-type]


def test_sizes_are_refused_where_the_model_is_not_fresh() -> None:
    with pytest.raises(ValidationError, match="vocabulary and context can be chosen for a fresh model alone"):
        BaseSettings(model="auto", vocabulary=512, context=64)


@given(characters=st.integers(1, 10**12), cores=st.integers(1, 128))
def test_auto_grows_with_the_text_and_stays_in_bounds(characters: int, cores: int) -> None:
    machine = Machine(cores, 8000, False)
    assert 512 <= vocabulary_for(characters) <= vocabulary_for(4 * characters) <= 32_768
    assert vocabulary_for(characters, 300_000) <= max(512, 300_000 // 256)
    assert 300_000 <= parameters_for(characters, machine) <= max(300_000, 3.2 * characters)


def test_auto_takes_a_size_that_this_machine_can_train() -> None:
    assert [parameters_for(size, LAPTOP) for size in (10**4, 10**5, 10**6)] == [300_000, 300_000, 3_000_000]
    assert vocabulary_for(10**6) == 3968
    assert parameters_for(10**7, LAPTOP) < parameters_for(10**6, LAPTOP)  # the time that it takes is the bound


def test_every_stage_is_made_after_what_it_needs() -> None:
    for order in (TUNING, FROM_SCRATCH):
        assert sorted(order.making) == sorted(order.stages)
        for place, name in enumerate(order.making):
            assert set(order.stages[name].needs) <= set(order.making[:place])
    assert upstream("base", FROM_SCRATCH) == ("collect", "goal", "clean", "split", "base")
    assert upstream("base") == ("collect", "goal", "base")


def test_the_order_follows_from_the_base() -> None:
    assert order_for(ProjectSettings.model_validate({"name": "a"})) is TUNING
    assert order_for(ProjectSettings.model_validate({"name": "a", "base": {"model": "scratch"}})) is FROM_SCRATCH
    assert "test" not in FROM_SCRATCH.stages["base"].may_read


def test_nothing_is_fetched_or_looked_up_for_a_fresh_model(tmp_path: Path) -> None:
    settings = BaseSettings(model="scratch")
    check(settings, tmp_path)
    assert fingerprint(settings, tmp_path) == ""
    with pytest.raises(InputError) as caught:
        refetch("scratch", tmp_path)
    assert caught.value.code == "local_base"
