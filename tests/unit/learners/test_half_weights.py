"""A tuned model answers with numbers that 16 bits hold, and its folder is left as it was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.unit.training import tiny
from tunesmith.learners.causal_lm import load


def test_matrices_of_an_opened_model_are_those_of_a_16_bit_file(tmp_path: Path) -> None:
    trained = tiny.trainable()
    with torch.no_grad():
        trained.model.model.norm.weight += 1e-6
    trained.model.save_pretrained(tmp_path)
    before = load_file(tmp_path / "model.safetensors")
    opened = load.load_tuned(replace(trained.base, folder=tmp_path), tmp_path)
    told = dict(opened.named_parameters())
    matrices = [name for name, value in told.items() if value.ndim >= 2]
    assert len(matrices) == 2 * 7 + 1
    for name in matrices:
        torch.testing.assert_close(told[name], before[name].half().float(), rtol=0, atol=0)
        assert not torch.equal(told[name], before[name])
    assert torch.equal(told["model.norm.weight"], before["model.norm.weight"])
    assert all(torch.equal(value, before[name]) for name, value in load_file(tmp_path / "model.safetensors").items())


def test_a_matrix_beyond_the_range_of_16_bits_is_left_as_it_is() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
    with torch.no_grad():
        model[0].weight[0, 0] = 70_000.0
    before = model[0].weight.detach().clone(), model[1].weight.detach().clone()
    load._rounded_to_half(model)
    assert torch.equal(model[0].weight, before[0])
    assert torch.equal(model[1].weight, before[1].half().float())
