"""Our own encoder layers: loss and every gradient are those of transformers on the padded batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.unit.training import tiny
from tunesmith.learners.classifier.network import pad
from tunesmith.learners.classifier.packed_rows import SIZES, pack, size_of
from tunesmith.products import EncodedRow
from tunesmith.training.ranks import ALONE
from tunesmith.training.row_batches import row_batches
from tunesmith.workers import Workers


def double():
    """A classifier whose weights, products and all are float64."""
    from transformers import BertConfig, BertForSequenceClassification

    from tunesmith.learners.classifier.network import Network

    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=tiny.VOCABULARY,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=3,
        max_position_embeddings=700,
        num_labels=3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    model = BertForSequenceClassification(config).double()
    spread_out(model)
    return Network(model, 0)


def spread_out(model: nn.Module) -> None:
    """A fresh model has biases of nought, attention that is nearly even, and features that are nearly alike."""
    generator = torch.Generator().manual_seed(4)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)


TEXTBOOK, OURS = double(), double()
OURS.use_own_layers(tiny.labelled_rows(3), torch.float64)


def encoded(lengths: list[int]) -> list[EncodedRow]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [
        EncodedRow(
            str(number), torch.randint(1, tiny.VOCABULARY, (length,), generator=generator).tolist(), [], 0, 1.0, 1
        )
        for number, length in enumerate(lengths)
    ]


LENGTHS = st.lists(st.one_of(st.integers(1, 20), st.integers(1, 200)), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(lengths=LENGTHS, again=st.booleans())
def test_features_and_every_gradient_equal_transformers(lengths: list[int], again: bool) -> None:
    """In float64: of embeddings, norms, biases, every projection and the pooler, with and without checkpointing."""
    rows = encoded(lengths)
    assert OURS.layers is not None
    OURS.checkpoint_activations(again)
    found = []
    for network in (TEXTBOOK, OURS):
        network.model.zero_grad()
        logits, features = network.forward(rows)
        assert features.dtype == torch.float64
        weights = torch.linspace(-1, 1, features.numel(), dtype=torch.float64).view(features.shape)
        (features * weights).sum().add(logits.square().sum()).backward()
        found.append((logits, features, dict(network.model.named_parameters())))
    for left, right in zip(found[0][:2], found[1][:2], strict=True):
        torch.testing.assert_close(right, left, rtol=1e-10, atol=1e-10)
    assert len(found[0][2]) == len(found[1][2]) == 2 * 16 + 5 + 2 + 2
    for name, left in found[0][2].items():
        torch.testing.assert_close(found[1][2][name].grad, left.grad, rtol=1e-9, atol=1e-10, msg=name)


@given(lengths=st.lists(st.integers(1, 1500), min_size=1, max_size=80))
def test_every_token_lies_in_a_bin_with_its_row_and_sees_it_alone(lengths: list[int]) -> None:
    rows = encoded(lengths)
    packed = pack([row.tokens for row in rows], 0)
    assert len(packed.tokens) == sum(stack.count * stack.size for stack in packed.stacks) == packed.stacks[-1].end
    assert all(stack.size == size_of(stack.size) and stack.firsts <= stack.size for stack in packed.stacks)
    places = torch.cat(
        [
            torch.arange(stack.start, stack.end).view(stack.count, stack.size)[:, : stack.firsts].reshape(-1)
            for stack in packed.stacks
        ]
    )
    for row, first in zip(rows, places[packed.firsts].tolist(), strict=True):
        [stack] = [stack for stack in packed.stacks if stack.start <= first < stack.end]
        number, slot = divmod(first - stack.start, stack.size)
        start = stack.start + number * stack.size
        seen = start + torch.where(stack.mask[number, 0, slot] == 0)[0]
        assert all(torch.equal(stack.mask[number, 0, one - start], stack.mask[number, 0, slot]) for one in seen[:3])
        order = seen[packed.positions[seen].argsort()]
        assert packed.tokens[order].tolist() == row.tokens
        assert packed.positions[order].tolist() == list(range(len(row.tokens)))


def test_rows_of_a_step_leave_little_of_their_bins_empty() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = (8 + torch.randint(0, 25, (64,), generator=generator)).tolist()
    packed = pack([row.tokens for row in encoded(lengths)], 0)
    assert len(packed.tokens) < 1.12 * sum(lengths)
    padded = pad([[1] * length for length in lengths], 0)[0].numel()
    assert padded > 1.5 * sum(lengths)


@pytest.mark.parametrize("by", ["own layers", "transformers"])
def test_bfloat16_is_kept_to_and_what_is_trained_stays_float32(by: str) -> None:
    """Products in bfloat16 give nearly the float32 loss and gradients, by our own layers and by transformers' code."""
    batches = row_batches(tiny.labelled_rows(12), 512)
    found = {}
    for precision in ("float32", "bfloat16"):
        model = tiny.classifier(dropout=0.0, precision=precision)
        spread_out(model.model)
        model.train(False)
        assert model.network.layers is not None
        assert model.network.layers[0].dtype == getattr(torch, precision)
        if by == "transformers":
            model.network.layers = None
        loss = model.gradients(batches, 12, Workers(1), ALONE).loss
        found[precision] = (loss, {name: parameter.grad for name, parameter in model._named()})
    assert found["bfloat16"][0] != found["float32"][0]
    assert found["bfloat16"][0] == pytest.approx(found["float32"][0], rel=0.02)
    gradients = {name: gradient for name, gradient in found["float32"][1].items() if gradient is not None}
    assert len(gradients) == 2 * 16 + 5 + 2 + 2
    for name, expected in gradients.items():
        gradient = found["bfloat16"][1][name]
        assert gradient.dtype == torch.float32
        if not name.endswith("key.bias"):  # its gradient is nought but for rounding: a softmax does not see it
            assert (gradient - expected).norm() < 0.15 * expected.norm(), name


def test_a_trained_classifier_is_saved_once_and_loads_as_it_was_trained(tmp_path) -> None:
    """Weights that are multiplied together lie in one piece of memory; on disk each stands for itself."""
    from transformers import AutoModelForSequenceClassification

    model = tiny.classifier()
    assert model.network.layers is not None
    with torch.no_grad():
        for parameter in model.trained_state().values():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    rows = tiny.labelled_rows(5)
    model.train(False)
    ours = model.network.forward(rows)[0]
    model.model.save_pretrained(tmp_path, safe_serialization=True)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    named = dict(again.named_parameters())
    for name, weight in model.trained_state().items():
        assert torch.equal(named[name], weight), name
    ids, seen = pad([row.tokens for row in rows], 0)
    torch.testing.assert_close(again(input_ids=ids, attention_mask=seen).logits, ours, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "change", [{"hidden_dropout_prob": 0.1}, {"attention_probs_dropout_prob": 0.1}, {"hidden_act": "relu"}]
)
def test_another_form_is_left_to_transformers(change: dict) -> None:
    from transformers import BertForSequenceClassification

    from tunesmith.learners.classifier.network import Network

    config = tiny.classifier().model.config
    config.update(change)
    network = Network(BertForSequenceClassification(config), 0)
    network.use_own_layers(tiny.labelled_rows(3), torch.float32)
    assert network.layers is None


def test_layers_that_give_something_else_are_not_used() -> None:
    """Each is tried on real rows: here the attention has been given another scale, which no name tells."""
    network = double()
    network.model.bert.encoder.layer[0].attention.self.scaling *= 2
    network.use_own_layers(tiny.labelled_rows(3), torch.float64)
    assert network.layers is None
    logits, _ = network.forward(tiny.labelled_rows(3))
    assert logits.isfinite().all()


def test_sizes_of_bins_are_few_and_multiples_of_32() -> None:
    sizes = {size_of(tokens) for tokens in range(1, 513)}
    assert sizes == set(SIZES)
    assert all(size % 32 == 0 for size in sizes)
    assert size_of(1025) == 1536


def test_measuring_sees_the_weights_of_the_last_step() -> None:
    model = tiny.classifier()
    rows = tiny.labelled_rows(6)
    [batch] = row_batches(rows, 512)
    model.train(False)
    before = model.measure(batch).loss
    state = {name: weight + 0.1 for name, weight in model.trained_state().items()}
    model.load_trained_state(state)
    model.train(False)
    assert model.measure(batch).loss != before
    model.network.layers = None
    assert model.measure(batch).loss == pytest.approx(model.measure(replace(batch)).loss)


@pytest.mark.parametrize("pays", [True, False])
@torch.inference_mode()
def test_a_model_made_to_predict_says_the_same_of_any_rows_and_keeps_its_weights_once(monkeypatch, pays: bool) -> None:
    from tunesmith.learners import fast_linear

    monkeypatch.setattr(fast_linear, "_pays", lambda layer, timed: pays)
    theirs, ours = (tiny.classifier().network for _ in range(2))
    theirs.layers = None
    theirs.model.eval()
    ours.model.eval()
    with torch.inference_mode(False):
        ours.to_predict(tiny.labelled_rows(3))
    assert ours.layers is not None
    assert isinstance(ours.layers[0].into_attention, fast_linear.FastProjection) == pays
    assert not list(ours.model.base_model.encoder.parameters())
    for lengths in ([1], [3, 60, 7], [20] * 9):
        rows = encoded(lengths)
        for left, right in zip(theirs.forward(rows), ours.forward(rows), strict=True):
            torch.testing.assert_close(right, left, rtol=1e-4, atol=1e-5)


def test_a_model_of_another_form_predicts_by_transformers_code() -> None:
    network = double()
    network.model.float()
    network.model.bert.encoder.layer[0].attention.self.scaling *= 2
    before = network.forward(tiny.labelled_rows(3))[0]
    network.to_predict(tiny.labelled_rows(3))
    assert network.layers is None
    torch.testing.assert_close(network.forward(tiny.labelled_rows(3))[0], before, rtol=1e-4, atol=1e-5)
