"""A process knows from the environment alone whether others were launched with it."""

from __future__ import annotations

import os

import pytest

from tunesmith.launch import TOLD, Place, follows, place
from tunesmith.threads import be_patient


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch):
    def launch(**told: str) -> None:
        for name in (*TOLD, "LOCAL_WORLD_SIZE", "OMP_NUM_THREADS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in told.items():
            monkeypatch.setenv(name, value)

    return launch


WHERE = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_a_process_by_itself_has_no_place(launch):
    launch()
    assert place() is None
    assert not follows()


@pytest.mark.parametrize("left_out", TOLD)
def test_half_an_environment_is_no_launch(launch, left_out):
    told = {"RANK": "1", "WORLD_SIZE": "2", **WHERE}
    launch(**{name: value for name, value in told.items() if name != left_out})
    assert place() is None


def test_a_launch_of_one_is_a_process_by_itself(launch):
    launch(RANK="0", WORLD_SIZE="1", LOCAL_WORLD_SIZE="1", **WHERE)
    assert place() is None


def test_the_first_leads_and_the_others_follow(launch):
    for rank, following in ((0, False), (1, True), (3, True)):
        launch(RANK=str(rank), WORLD_SIZE="4", LOCAL_WORLD_SIZE="2", **WHERE)
        assert place() == Place(rank, 4, 2)
        assert follows() is following


@pytest.mark.parametrize(("size", "set_to", "left"), [("2", "1", None), ("2", "4", "4"), ("1", "1", "1")])
def test_the_one_thread_that_torchrun_sets_does_not_count_and_the_users_word_does(launch, size, set_to, left):
    launch(RANK="0", WORLD_SIZE=size, OMP_NUM_THREADS=set_to, **WHERE)
    be_patient()
    assert os.environ.get("OMP_NUM_THREADS") == left
