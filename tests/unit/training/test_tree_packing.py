"""A token tree's loss and gradient are those of the padded batch, whatever the rows."""

from __future__ import annotations

from functools import partial
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.loss import tree_loss
from tunesmith.products import EncodedRow
from tunesmith.training.tree_packing import pack, plan, trees

VOCABULARY = 5  # small, so that random rows share prefixes


def tiny_model(tied: bool = True):
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config).double()
    for module in model.modules():
        if isinstance(module, LlamaRMSNorm):
            module.forward = partial(float64_norm, module)
    return model


def float64_norm(module, hidden: torch.Tensor) -> torch.Tensor:
    """RMSNorm without the cast to float32 that transformers makes, so that 1e-10 can be asked for."""
    return module.weight * hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + module.variance_epsilon)


@st.composite
def rows(draw) -> list[EncodedRow]:
    count = draw(st.integers(1, 7))
    made = []
    for number in range(count):
        length = draw(st.integers(2, 14))
        tokens = draw(st.lists(st.integers(0, VOCABULARY - 1), min_size=length, max_size=length))
        trained = [False, *draw(st.lists(st.booleans(), min_size=length - 1, max_size=length - 1))]
        trained[-1] = True
        weight = draw(st.sampled_from([0.25, 1.0, 2.0]))
        made.append(EncodedRow(str(number), tokens, trained, None, weight, 1))
    return made


def padded_loss(model, rows: list[EncodedRow]) -> torch.Tensor:
    """The textbook: pad to the longest row, one causal mask, sum of weighted losses."""
    longest = max(len(row.tokens) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    seen = torch.zeros(len(rows), longest, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.tokens)] = torch.tensor(row.tokens)
        seen[index, : len(row.tokens)] = 1
    logits = model(input_ids=ids, attention_mask=seen).logits
    total = torch.zeros((), dtype=torch.float64)
    for index, row in enumerate(rows):
        for place in range(1, len(row.tokens)):
            if row.trained[place]:
                loss = cross_entropy(logits[index, place - 1][None], ids[index, place][None])
                total = total + row.weight * loss
    return total


@pytest.fixture(scope="module")
def textbook():
    return tiny_model()


@pytest.fixture(scope="module")
def packed():
    model = tiny_model()
    install(model)
    return model


@settings(max_examples=40, deadline=None)
@given(rows=rows(), budget=st.sampled_from([1, 12, 1000]), block=st.sampled_from([1, 3, 128]))
def test_loss_and_every_gradient_equal_the_padded_batch(textbook, packed, rows, budget, block):
    from tunesmith.learners.causal_lm import loss as module
    from tunesmith.learners.causal_lm.attention import blocks

    textbook.zero_grad()
    packed.zero_grad()
    expected = padded_loss(textbook, rows)
    expected.backward()
    total = 0.0
    with patch.object(module, "blocks", lambda tree: blocks(tree, block)):
        for tree in trees(rows, budget):
            loss, _, _ = tree_loss(packed, tree)
            loss.backward()
            total += loss.item()
    assert total == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    pairs = list(zip(textbook.parameters(), packed.parameters(), strict=True))
    assert len(pairs) > 10
    for left, right in pairs:
        torch.testing.assert_close(right.grad, left.grad, rtol=1e-10, atol=1e-10)


@given(rows=rows())
def test_a_shared_prefix_is_laid_out_once_and_what_no_target_comes_after_not_at_all(rows):
    tree = pack(plan(rows, 10_000)[0])
    prefixes = {tuple(row.tokens[: end + 1]) for row in rows for end in range(max(1, last_trained(row.trained)))}
    assert len(tree.tokens) == len(prefixes)
    assert tree.weight == pytest.approx(sum(sum(row.trained) * row.weight for row in rows))


@given(rows=rows(), budget=st.integers(1, 40), workers=st.integers(1, 4))
def test_planning_keeps_every_row_and_the_budget(rows, budget, workers):
    groups = plan(rows, budget, workers)
    assert sorted(row.id for group in groups for row in group) == sorted(row.id for row in rows)
    longest = max(len(row.tokens) for row in rows)
    for group in groups:
        assert len(pack(group).tokens) <= max(budget, longest)
    assert plan([], budget, workers) == []


def test_trees_are_even_and_as_many_as_there_are_workers():
    rows = [
        EncodedRow(str(number), [1, 2, number, *range(9)], [False] * 11 + [True], None, 1.0, 3) for number in range(8)
    ]
    assert [len(tree.tokens) for tree in trees(rows, 1000)] == [2 + 8 * 9]
    assert [len(tree.tokens) for tree in trees(rows, 1000, workers=2)] == [2 + 4 * 9] * 2
    assert [len(tree.tokens) for tree in trees(rows, 40, workers=4)] == [2 + 2 * 9] * 4  # two would hold them


def last_trained(trained):
    return max((place for place, on in enumerate(trained) if on), default=0)


@given(rows=rows())
def test_a_node_sees_its_ancestors_and_no_others(rows):
    from tunesmith.learners.causal_lm.loss import ancestor_mask

    group = plan(rows, 10_000)[0]
    tree = pack(group)
    mask = ancestor_mask(tree)
    for node in range(len(tree.tokens)):
        seen = [int(tree.tokens[key]) for key in torch.nonzero(mask[node])[:, 0]]
        assert len(seen) == tree.positions[node] + 1
        assert any(row.tokens[: len(seen)] == seen for row in rows)
