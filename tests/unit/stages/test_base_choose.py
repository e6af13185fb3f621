from __future__ import annotations

import os
from dataclasses import replace

import pytest
from base_stage_fakes import COMMIT, entry_of

from tunesmith import catalog
from tunesmith.catalog import HubSource, WheelSource
from tunesmith.stages.base.choose import PATIENCE, choose, training_seconds
from tunesmith.stages.base.machine import Machine, look

LAPTOP = Machine(cores=2, memory=16_000, cuda=False)
GPU = Machine(cores=16, memory=64_000, cuda=True)
WHEEL = WheelSource("pkg", "1", "0" * 64, "model/", "0" * 64, 1)
SMALL = entry_of(WHEEL, name="small", parameters=100_000_000, memory_to_train=2_000)
LARGE = replace(SMALL, name="large", parameters=400_000_000, memory_to_train=6_000)
UNCHECKED = replace(LARGE, name="unchecked", sources=(HubSource("a/b", COMMIT),))


def names(entries, machine, *, examples=100, characters=10_000, hub=True):
    return [choice.entry.name for choice in choose(entries, "label", examples, characters, machine, hub=hub)]


@pytest.mark.parametrize(
    ("output", "name"),
    [("label", "all-minilm-l6-v2"), ("text", "smollm2-135m-instruct"), ("json", "smollm2-135m-instruct")],
)
def test_on_a_laptop_the_offline_default_of_the_task_is_taken(output, name):
    choices = choose(catalog.entries(), output, 300, 200_000, LAPTOP, hub=True)
    assert [choice.entry.name for choice in choices] == [name]


def test_a_gpu_that_may_ask_the_hub_gets_a_larger_base_and_the_default_after_it():
    choices = choose(catalog.entries(), "json", 300, 200_000, GPU, hub=True)
    assert choices[0].entry.name == "qwen2.5-0.5b-instruct"
    assert choices[-1].entry.name == "smollm2-135m-instruct"


def test_without_the_hub_a_gpu_gets_the_checked_base():
    assert names((SMALL, UNCHECKED), GPU, hub=False) == ["small"]


def test_a_base_that_nobody_checked_is_not_taken_without_a_gpu():
    assert names((SMALL, UNCHECKED), LAPTOP) == ["small"]


def test_little_data_affords_the_larger_base():
    assert names((SMALL, LARGE), LAPTOP) == ["large", "small"]


def test_much_data_calls_for_the_smaller_base():
    characters = 3_000_000
    assert training_seconds(SMALL, characters, LAPTOP) > PATIENCE
    assert names((LARGE, SMALL), LAPTOP, characters=characters) == ["small", "large"]


def test_a_base_that_is_quick_enough_beats_a_larger_one_that_is_not():
    assert names((LARGE, SMALL), LAPTOP, characters=200_000) == ["small"]


def test_a_base_that_does_not_fit_the_memory_is_not_taken():
    assert names((SMALL, LARGE), Machine(2, 4_000, cuda=False)) == ["small"]


def test_when_none_fits_the_smallest_is_taken_and_the_reason_says_so():
    tiny = Machine(2, 1_000, cuda=False)
    choices = choose((LARGE, SMALL), "label", 1, 10, tiny, hub=True)
    assert choices[0].entry.name == "small"
    assert "wants more memory than this machine has" in choices[0].reason


def test_a_task_that_no_base_does_gives_no_choice():
    assert choose((SMALL,), "text", 1, 10, LAPTOP, hub=True) == []


def test_the_reason_is_one_sentence_with_the_machine_and_the_data():
    (choice,) = choose((SMALL,), "label", 1, 10, LAPTOP, hub=True)
    assert choice.reason == (
        "auto chose small: it sorts text into labels and is the one such base that has been checked "
        "(2 cores, 16 GB of memory, no GPU; 1 example)."
    )


def test_this_machine_is_seen_as_it_is(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    machine = look()
    assert machine.cores == len(os.sched_getaffinity(0))
    assert 100 < machine.memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    assert not machine.cuda
