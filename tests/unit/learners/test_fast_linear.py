"""Linear layers by oneDNN give what torch's own give, and keep no second copy of the weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tunesmith.learners import fast_linear


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.hidden = nn.Linear(16, 16)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.hidden(self.embedding(ids)).relu())


@torch.no_grad()
def test_the_results_are_the_same_and_a_tied_weight_stays(monkeypatch):
    monkeypatch.setattr(fast_linear, "_seconds", lambda function, x: 2.0 if isinstance(function, nn.Linear) else 1.0)
    torch.manual_seed(0)
    model = Tied().eval()
    plain = copy.deepcopy(model)
    if not fast_linear.use_fast_linears(model):
        pytest.skip("this build of torch has no oneDNN")
    for shape in ((3,), (2, 7), (4, 1)):
        ids = torch.randint(0, 50, shape)
        torch.testing.assert_close(model(ids), plain(ids), rtol=1e-5, atol=1e-6)
    assert model.hidden.weight.numel() == 0
    assert model.embedding.weight.shape == (50, 16)


@torch.no_grad()
def test_nothing_changes_where_it_does_not_pay_or_the_arithmetic_is_another(monkeypatch):
    monkeypatch.setattr(fast_linear, "_seconds", lambda function, x: 1.0)
    model = Tied().eval()
    assert not fast_linear.use_fast_linears(model)
    assert model.hidden.weight.numel() == 256
    monkeypatch.setattr(fast_linear, "_seconds", lambda function, x: 2.0 if isinstance(function, nn.Linear) else 1.0)
    assert not fast_linear.use_fast_linears(Tied().bfloat16())
    monkeypatch.setattr(fast_linear, "CLOSE", -1.0)
    assert not fast_linear.use_fast_linears(model)
