"""The classifier with the real encoder: what it saves, the plain pipeline answers alike."""

from __future__ import annotations

import warnings

import pytest
import torch

from tunesmith.errors import InputError
from tunesmith.example import Message, Source, make_example
from tunesmith.learners.classifier import encode, load, predict
from tunesmith.learners.classifier.loss import supervised_contrast
from tunesmith.learners.protocol import Refusal
from tunesmith.products import GoalSheet, TunedModel
from tunesmith.training.loop import measure
from tunesmith.training.ranks import ALONE
from tunesmith.training.row_batches import row_batches
from tunesmith.workers import Workers

LABELS = ("billing", "delivery", "refund")
GOAL = GoalSheet("text", "label", "Sort.", LABELS)
ROWS = [
    ("I was charged twice", "billing"),
    ("the invoice shows a wrong amount", "billing"),
    ("my parcel has not come", "delivery"),
    ("when will my order arrive at my house", "delivery"),
    ("I want my money back", "refund"),
    ("please return what I paid, it never worked", "refund"),
]
RECIPE = {
    "method": "full",
    "precision": "float32",
    "dropout": 0.1,
    "label_smoothing": 0.1,
    "seed": 0,
    "activation_checkpointing": False,
}


def examples():
    return [
        make_example([Message.of("user", text), Message.of("assistant", label)], Source("test", number))
        for number, (text, label) in enumerate(ROWS, 1)
    ]


@pytest.fixture(scope="module")
def tuned(minilm, tmp_path_factory) -> TunedModel:
    folder = tmp_path_factory.mktemp("tuned") / "model"
    folder.mkdir()
    encoder = encode.encoder(minilm, GOAL, 128)
    rows = [encoder.encode(example) for example in examples()]
    model = load.prepare(minilm, GOAL, RECIPE, rows)
    before = measure(model, row_batches(rows, 512), Workers(1))
    optimizer = torch.optim.AdamW(model.parameter_groups(1e-4, 0.01))
    for _ in range(3):
        [batch] = row_batches(rows, 512)
        told = model.gradients([batch], batch.weight, Workers(1), ALONE)
        assert told.loss == pytest.approx(sum(row.loss for row in told.rows.values()), rel=1e-5)
        assert told.right == sum(row.right for row in told.rows.values())
        optimizer.step()
        optimizer.zero_grad()
    after = measure(model, row_batches(rows, 512), Workers(1))
    assert before.accuracy == 1.0  # the head starts at the class means
    assert after.mean_loss < before.mean_loss
    model.save(folder)
    return TunedModel(folder, "classifier", {}, (), {}, {})


def test_the_plain_pipeline_gives_the_same_labels_and_probabilities(minilm, tuned):
    from transformers import pipeline

    texts = [text for text, _ in ROWS] + ["card", "x" * 40, "Wo ist mein Paket? 📦"]
    ours = predict.predict("tuned", minilm, GOAL, tuned, [(Message.of("user", text),) for text in texts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classify = pipeline("text-classification", model=str(tuned.folder))
        theirs = [classify(text)[0] for text in texts]
    assert [answer.text for answer in ours] == [answer["label"] for answer in theirs]
    for left, right in zip(ours, theirs, strict=True):
        assert left.confidence == pytest.approx(right["score"], abs=1e-5)


def test_the_base_sorts_by_the_names_of_the_labels(minilm):
    prompts = [(Message.of("user", "Please refund me"),), (Message.of("user", "delivery date?"),)]
    answers = predict.predict("base", minilm, GOAL, None, prompts)
    assert [answer.text for answer in answers] == ["refund", "delivery"]
    assert all(1 / 3 < answer.confidence < 1 for answer in answers)


def test_a_text_longer_than_the_context_is_refused_never_cut(minilm):
    long = "word " * 700
    encoder = encode.encoder(minilm, GOAL, 4096)
    example = make_example([Message.of("user", long), Message.of("assistant", "refund")], Source("test", 1))
    refusal = encoder.encode(example)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "too_long"
    with pytest.raises(InputError, match="can see 512"):
        predict.predict("base", minilm, GOAL, None, [(Message.of("user", long),)])


def test_an_unknown_label_is_refused(minilm):
    example = make_example([Message.of("user", "hello"), Message.of("assistant", "misc")], Source("test", 1))
    refusal = encode.encoder(minilm, GOAL, 128).encode(example)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "no_target"


def test_contrast_is_least_when_labels_lie_apart():
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0], [1, 0.01], [0, 1], [0.01, 1]])
    mixed = apart[[0, 2, 1, 3]]
    assert supervised_contrast(apart, labels) < 0.1 < supervised_contrast(mixed, labels)
    assert supervised_contrast(apart, torch.arange(4)) == 0


def test_a_weight_scales_a_row_as_often_as_it_says(minilm):
    encoder = encode.encoder(minilm, GOAL, 128)
    rows = [encoder.encode(example) for example in examples()]
    model = load.prepare(minilm, GOAL, RECIPE, rows)
    model.train(False)
    [batch] = row_batches(rows, 512)
    assert batch.weight == len(rows)
    assert model.measure(batch).loss > 0


def test_rows_computed_side_by_side_have_the_gradient_of_the_whole(minilm):
    """The contrast is between all rows of a step, however they are cut for the threads."""
    encoder = encode.encoder(minilm, GOAL, 128)
    rows = [encoder.encode(example) for example in examples()]
    model = load.prepare(minilm, GOAL, {**RECIPE, "dropout": 0.2, "precision": "float32"}, rows)
    found = []
    for count in (1, 2, 2):
        torch.manual_seed(5)
        model.train()
        for parameter in model.model.parameters():
            parameter.grad = None
        batches = row_batches(rows, 512, count)
        assert len(batches) == count
        with Workers(count) as workers:
            told = model.gradients(batches, len(rows), workers, ALONE).loss
        found.append((told, [parameter.grad for _, parameter in model._named()]))
    assert len(found[0][1]) > 50
    for one, two, again in zip(*(gradients for _, gradients in found), strict=True):
        if one is None:
            assert two is None
            continue
        assert (one - two).norm() <= 1e-4 * one.norm() + 1e-7
        assert torch.equal(two, again)
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
