"""All weights trained: loss and every gradient are those of transformers on the padded batch."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training import tiny
from tests.unit.training.test_tree_packing import padded_loss, rows, tiny_model
from tunesmith.learners.causal_lm.decoder_layer import layers_of
from tunesmith.learners.causal_lm.loss import tree_loss
from tunesmith.training.ranks import ALONE
from tunesmith.training.tree_packing import trees
from tunesmith.workers import Workers

zeros = torch.zeros


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
    block=st.sampled_from([1, 3, 8, 128, None]),
)
def test_loss_and_every_gradient_equal_transformers(rows, tied, budget, block):
    """In float64, the embedding and the output layer included, be they one tensor or two."""
    from tunesmith.learners.causal_lm import loss as module
    from tunesmith.learners.causal_lm import stacked_attention

    textbook, model, own = MODELS[tied]
    layers = [layer.ready() for layer in own]
    textbook.zero_grad()
    model.zero_grad()
    expected = padded_loss(textbook, rows)
    expected.backward()
    total = 0.0
    cut = stacked_attention.stacks
    with patch.object(module, "stacks", lambda tree: cut(tree, block)):
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


@pytest.mark.parametrize("by", ["own layers", "transformers"])
def test_bfloat16_is_kept_to_and_what_is_trained_stays_float32(by: str) -> None:
    """Products in bfloat16 give nearly the float32 loss and gradients, by our own layers and by transformers' code."""
    batch = trees(tiny.rows(8), 512)
    found = {}
    for precision in ("float32", "bfloat16"):
        model = tiny.trainable(precision=precision)
        assert model.layers is not None
        assert model.layers[0].dtype == getattr(torch, precision)
        if by == "transformers":
            model._own = model.layers = None
            model.mixed = precision == "bfloat16"
        loss = model.gradients(batch, batch[0].weight, Workers(1), ALONE).loss
        found[precision] = (loss, {name: parameter.grad for name, parameter in model._named()})
    assert found["bfloat16"][0] != found["float32"][0]
    assert found["bfloat16"][0] == pytest.approx(found["float32"][0], rel=0.01)
    assert len(found["float32"][1]) == 2 * 9 + 2
    for name, gradient in found["bfloat16"][1].items():
        assert gradient.dtype == torch.float32
        expected = found["float32"][1][name]
        assert (gradient - expected).norm() < 0.1 * expected.norm(), name


def test_a_whole_model_is_saved_once_and_loads_as_it_was_trained(tmp_path) -> None:
    """Weights that are multiplied together lie in one piece of memory; on disk each stands for itself."""
    from transformers import AutoModelForCausalLM

    model = tiny.trainable()
    assert model.layers is not None
    with torch.no_grad():
        for parameter in model.trained_state().values():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    model.model.save_pretrained(tmp_path, safe_serialization=True)
    again = dict(AutoModelForCausalLM.from_pretrained(tmp_path).named_parameters())
    assert again.keys() == model.trained_state().keys()
    for name, weight in model.trained_state().items():
        assert torch.equal(again[name], weight), name
    numbers = sum(weight.numel() for weight in again.values())
    assert (tmp_path / "model.safetensors").stat().st_size == pytest.approx(4 * numbers, rel=0.1)


def test_attention_with_dropout_is_left_to_transformers() -> None:
    assert tiny.trainable(dropout=0.1).layers is None


def test_measuring_makes_no_gradient_of_the_head() -> None:
    model = tiny.trainable()
    made = []
    with patch.object(torch, "zeros", lambda *size, **more: made.append(size) or zeros(*size, **more)):
        for tree in trees(tiny.rows(4), 512):
            model.measure(tree)
    assert not [size for size in made if size and size[0] == (tiny.VOCABULARY, 32)]
