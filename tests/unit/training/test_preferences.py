"""Preferences: loss and gradients over a tree of pairs are the textbook's over padded rows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.learners.test_decoder_layer import adapted
from tests.unit.training.test_tree_packing import VOCABULARY
from tunesmith.learners.causal_lm.attention import install
from tunesmith.learners.causal_lm.decoder_layer import layers_of
from tunesmith.learners.causal_lm.loss import hidden_states, preference_loss
from tunesmith.products import EncodedRow
from tunesmith.training.preference_trees import preference_trees

BETA = 0.3


@st.composite
def pairs(draw) -> list[EncodedRow]:
    made = []
    tokens = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6)
    for number in range(draw(st.integers(1, 5))):
        prompt, chosen, rejected = draw(tokens), draw(tokens), draw(tokens)
        weight = draw(st.sampled_from([0.5, 1.0, 2.0]))
        answers = [[*prompt, *answer] for answer in (chosen, rejected)]
        trained = [[False] * len(prompt) + [True] * len(answer) for answer in (chosen, rejected)]
        made.append(
            EncodedRow(
                str(number),
                answers[0],
                trained[0],
                None,
                weight,
                len(prompt),
                rejected=answers[1],
                rejected_trained=trained[1],
            )
        )
    return made


def log_probability(model, tokens: list[int], trained: list[bool]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
    return sum(logits[place - 1, tokens[place]] for place in range(1, len(tokens)) if trained[place])


def textbook(model, rows: list[EncodedRow]) -> torch.Tensor:
    """Equation 7 of the paper, row by row."""
    total = torch.zeros((), dtype=torch.float64)
    for row in rows:
        gains = []
        for tokens, trained in ((row.tokens, row.trained), (row.rejected, row.rejected_trained)):
            with torch.no_grad(), model.disable_adapter():
                before = log_probability(model, tokens, trained)
            gains.append(log_probability(model, tokens, trained) - before)
        total = total - row.weight * torch.nn.functional.logsigmoid(BETA * (gains[0] - gains[1]))
    return total


@pytest.fixture(scope="module", params=["own layers", "transformers"])
def ours(request):
    model = adapted()
    layers = None
    if request.param == "own layers":
        layers = [layer.ready() for layer in layers_of(model.get_base_model().get_decoder())]
    if layers is None:
        install(model.get_base_model())

    def reference(tree):
        if layers is not None:
            return hidden_states(model.get_base_model(), tree, [layer.without_adapters() for layer in layers])
        with model.disable_adapter():
            return hidden_states(model.get_base_model(), tree)

    return model, layers, reference


@settings(max_examples=25, deadline=None)
@given(rows=pairs(), budget=st.sampled_from([8, 1000]))
def test_loss_and_gradients_are_those_of_the_paper(ours, rows, budget):
    model, layers, reference = ours
    plain = adapted()
    expected = textbook(plain, rows)
    expected.backward()
    model.zero_grad()
    total, told = 0.0, {}
    for tree in preference_trees(rows, budget):
        scalar, outcome = preference_loss(model.get_base_model(), tree, layers, reference, BETA)
        scalar.backward()
        total += outcome.loss
        told |= outcome.rows
    assert total == pytest.approx(expected.item(), rel=1e-9)
    assert sum(told[row.id].loss * row.weight for row in rows) == pytest.approx(total)
    for left, right in zip(plain.parameters(), model.parameters(), strict=True):
        if left.requires_grad:
            torch.testing.assert_close(right.grad, left.grad, rtol=1e-8, atol=1e-10)


def inputs(tokens, trained):
    """What targets are foretold from: the tokens before the last trained one."""
    return tokens[: max((place for place, on in enumerate(trained) if on), default=1)]


@given(rows=pairs(), budget=st.integers(1, 40), workers=st.integers(1, 3))
def test_a_pair_stays_in_one_tree_and_its_prompt_is_there_once(rows, budget, workers):
    trees = preference_trees(rows, budget, workers)
    assert sorted(id for tree in trees for id, *_ in tree.pairs) == [row.id for row in rows]
    by_id = {row.id: row for row in rows}
    for tree in trees:
        of_tree = [by_id[id] for id, *_ in tree.pairs]
        sides = [inputs(row.tokens, row.trained) for row in of_tree]
        sides += [inputs(row.rejected, row.rejected_trained) for row in of_tree]
        assert len(tree.tokens) == len({tuple(side[: end + 1]) for side in sides for end in range(len(side))})
        assert tree.weight == sum(by_id[id].weight for id, *_ in tree.pairs)
        for id, _, chosen, rejected in tree.pairs:
            assert len(tree.row_targets[chosen]) == sum(by_id[id].trained[1:])
            assert len(tree.row_targets[rejected]) == sum(by_id[id].rejected_trained[1:])
