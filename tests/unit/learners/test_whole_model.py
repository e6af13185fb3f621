"""All weights trained: loss and every gradient are those of transformers on the padded batch."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.test_tree_packing import padded_loss, rows, tiny_model
from tunesmith.learners.causal_lm.decoder_layer import layers_of
from tunesmith.learners.causal_lm.loss import tree_loss
from tunesmith.training.tree_packing import trees


def ours(tied: bool):
    model = tiny_model(tied)
    layers = layers_of(model.get_decoder(), torch.float64)
    assert layers is not None
    return model, layers


MODELS = {tied: (tiny_model(tied), *ours(tied)) for tied in (True, False)}


@settings(max_examples=30, deadline=None)
@given(
    rows=rows(),
    tied=st.booleans(),
    budget=st.sampled_from([12, 1000]),
    block=st.sampled_from([1, 3, 128]),
)
def test_loss_and_every_gradient_equal_transformers(rows, tied, budget, block):
    """In float64, the embedding and the output layer included, be they one tensor or two."""
    from tunesmith.learners.causal_lm import attention
    from tunesmith.learners.causal_lm import loss as module

    textbook, model, own = MODELS[tied]
    layers = [layer.ready() for layer in own]
    textbook.zero_grad()
    model.zero_grad()
    expected = padded_loss(textbook, rows)
    expected.backward()
    total = 0.0
    cut = attention.blocks
    with patch.object(module, "blocks", lambda tree: cut(tree, block)):
        for tree in trees(rows, budget):
            loss, _, _ = tree_loss(model, tree, layers)
            loss.backward()
            total += loss.item()
    assert total == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    pairs = list(zip(textbook.named_parameters(), model.named_parameters(), strict=True))
    assert len(pairs) == 2 * 9 + (2 if tied else 3)
    for (name, left), (same, right) in pairs:
        assert name == same
        torch.testing.assert_close(right.grad, left.grad, rtol=1e-9, atol=1e-10)
