"""Our decoder layers with low-rank adapters: loss and every gradient are those of peft on the padded batch."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.test_tree_packing import VOCABULARY, padded_loss, rows, tiny_model
from tunesmith.learners.causal_lm.decoder_layer import layers_of
from tunesmith.learners.causal_lm.load import quiet
from tunesmith.learners.causal_lm.loss import CrossEntropy, tree_loss
from tunesmith.training.tree_packing import trees


def adapted(rank: int = 3):
    """A tiny Llama with adapters that are not at their start (where B is zero and A has no gradient)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=5, target_modules="all-linear", task_type="CAUSAL_LM")
    with quiet():
        model = get_peft_model(tiny_model(), config)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter, dtype=torch.float64) * 0.3
    return model.double()


@pytest.fixture(scope="module")
def textbook():
    return adapted()


@pytest.fixture(scope="module")
def ours():
    model = adapted()
    layers = layers_of(model.get_base_model().get_decoder())
    assert layers is not None
    return model, layers


@settings(max_examples=40, deadline=None)
@given(
    rows=rows(),
    budget=st.sampled_from([12, 1000]),
    block=st.sampled_from([1, 3, 8, 128, None]),
    kept=st.sampled_from([0, 10**6]),
    checkpointed=st.booleans(),
)
def test_loss_and_every_gradient_equal_pefts(textbook, ours, rows, budget, block, kept, checkpointed):
    from tunesmith.learners.causal_lm import loss as module
    from tunesmith.learners.causal_lm import stacked_attention

    model, own = ours
    layers = [replace(layer.ready(), checkpointed=checkpointed) for layer in own]
    textbook.zero_grad()
    model.zero_grad()
    expected = padded_loss(textbook, rows)
    expected.backward()
    total = 0.0
    cut = stacked_attention.stacks
    with (
        patch.object(module, "stacks", lambda tree: cut(tree, block)),
        patch.object(stacked_attention, "PAIRS_KEPT", kept),
    ):
        for tree in trees(rows, budget):
            loss, _, _ = tree_loss(model.get_base_model(), tree, layers)
            loss.backward()
            total += loss.item()
    assert total == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    pairs = [
        (left.grad, right.grad)
        for left, right in zip(textbook.parameters(), model.parameters(), strict=True)
        if left.requires_grad
    ]
    assert len(pairs) == 2 * 7 * 2
    for left, right in pairs:
        torch.testing.assert_close(right, left, rtol=1e-9, atol=1e-10)


def test_joined_weights_take_no_more_memory(ours):
    model, layers = ours
    attention = model.get_base_model().get_decoder().layers[0].self_attn
    joined = layers[0].into_attention.weight
    assert attention.q_proj.base_layer.weight.untyped_storage().data_ptr() == joined.untyped_storage().data_ptr()


@pytest.mark.parametrize("change", ["bias", "dropout", "dora", "norm"])
def test_a_layer_of_another_form_is_left_to_transformers(change):
    from peft import LoraConfig, get_peft_model

    model = tiny_model()
    if change == "bias":
        down = model.model.layers[1].mlp.down_proj
        down.bias = torch.nn.Parameter(torch.ones(down.out_features, dtype=torch.float64))
    if change == "norm":
        model.model.layers[1].self_attn.q_norm = torch.nn.LayerNorm(4)
    config = LoraConfig(
        r=2,
        target_modules="all-linear",
        lora_dropout=0.1 if change == "dropout" else 0.0,
        use_dora=change == "dora",
    )
    with quiet():
        wrapped = get_peft_model(model, config)
    assert layers_of(wrapped.get_base_model().get_decoder()) is None


@given(count=st.integers(1, 300))
@settings(max_examples=10, deadline=None)
def test_the_chunked_cross_entropy_and_its_gradients_are_the_textbooks(count):
    torch.manual_seed(count)
    hidden = torch.randn(count, 6, dtype=torch.float64, requires_grad=True)
    head = torch.randn(VOCABULARY, 6, dtype=torch.float64, requires_grad=True)
    tokens, weights = torch.randint(0, VOCABULARY, (count,)), torch.rand(count, dtype=torch.float64)
    expected = (torch.nn.functional.cross_entropy(hidden @ head.T, tokens, reduction="none") * weights).sum()
    left = torch.autograd.grad(expected * 3, [hidden, head])
    total, right, _ = CrossEntropy.apply(hidden, head, tokens, weights)
    torch.testing.assert_close(total, expected)
    assert torch.equal(right, (hidden @ head.T).argmax(1) == tokens)
    for ours, theirs in zip(torch.autograd.grad(total * 3, [hidden, head]), left, strict=True):
        torch.testing.assert_close(ours, theirs)
