"""Confident learning: planted wrong labels are found, and rows of a given test part teach nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tunesmith.similarity.neighbours import Neighbours, nearest
from tunesmith.stages.clean import far, same_meaning
from tunesmith.stages.clean.enough import alone_in, judge
from tunesmith.stages.clean.out_of_fold import FOLDS, OutOfFold, folds, predict
from tunesmith.stages.clean.wrong_label import confident_joint, estimated_errors, suspicions

LABELS = ("card", "fee", "loan", "top_up")


def blobs(rows: int, spread: float = 0.4, seed: int = 0):
    """Unit vectors around one centre a label, and the labels."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(LABELS), 24))
    true = np.arange(rows) % len(LABELS)
    found = centres[true] / np.linalg.norm(centres[true], axis=1, keepdims=True)
    found = found + spread * random.normal(size=found.shape) / np.sqrt(24)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16), [LABELS[at] for at in true]


def planted(values, share=0.1, seed=3):
    random = np.random.default_rng(seed)
    wrong = set(random.choice(len(values), round(share * len(values)), replace=False).tolist())
    noisy = [
        LABELS[(LABELS.index(value) + 1 + at % 3) % 4] if at in wrong else value for at, value in enumerate(values)
    ]
    return noisy, wrong


def unlocked(values):
    return np.zeros(len(values), np.bool_)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_wrong_labels_are_found_with_the_label_they_should_have(seed):
    vectors, true = blobs(400, seed=seed)
    noisy, wrong = planted(true, seed=seed)
    found = suspicions(predict(vectors, noisy, unlocked(noisy)))
    hits = [one for one in found if one.row in wrong]
    assert len(hits) >= 0.8 * len(wrong)
    assert len(hits) >= 0.6 * len(found)
    assert sum(one.better == true[one.row] for one in hits) >= 0.9 * len(hits)
    assert [one.rank for one in found] == list(range(1, len(found) + 1))
    assert [one.of_given for one in found] == sorted(one.of_given for one in found)
    first = found[0]
    assert all(word in first.evidence for word in (first.given, first.better, f"1 of {len(found)}"))


def test_with_two_labels_they_are_found_too():
    vectors, true = blobs(300)
    two = [LABELS[LABELS.index(value) % 2] for value in true]
    wrong = set(np.random.default_rng(1).choice(300, 30, replace=False).tolist())
    noisy = [LABELS[1 - LABELS.index(value)] if at in wrong else value for at, value in enumerate(two)]
    found = suspicions(predict(vectors, noisy, unlocked(noisy)))
    assert len({one.row for one in found} & wrong) >= 24
    assert len({one.row for one in found} - wrong) <= 12


def test_where_labels_are_right_nobody_is_accused():
    vectors, true = blobs(400)
    assert suspicions(predict(vectors, true, unlocked(true))) == []


def test_where_nothing_can_be_learned_nobody_is_accused():
    vectors, _ = blobs(400)
    by_chance = [LABELS[at] for at in np.random.default_rng(5).integers(0, 4, 400)]
    assert suspicions(predict(vectors, by_chance, unlocked(by_chance))) == []


def test_no_label_loses_most_of_its_rows():
    """A label that looks like another is one that the classifier does not know, not one that is wrong everywhere."""
    vectors, true = blobs(400)
    odd = [at for at in range(400) if true[at] == LABELS[0]][:8]
    values = ["a rare kind of card" if at in odd else value for at, value in enumerate(true)]
    found = predict(vectors, values, unlocked(values))
    assert (~found.right[np.isin(found.rows, odd)]).all()
    assert not {one.row for one in suspicions(found)} & set(odd)


def test_the_same_rows_give_the_same_suspicions():
    vectors, true = blobs(200)
    noisy, _ = planted(true)
    assert suspicions(predict(vectors, noisy, unlocked(noisy))) == suspicions(predict(vectors, noisy, unlocked(noisy)))


def test_locked_rows_are_predicted_and_teach_nothing():
    vectors, true = blobs(300)
    locked = np.arange(300) % 3 == 0
    lies = [LABELS[0] if lock else value for value, lock in zip(true, locked, strict=True)]
    honest, lying = predict(vectors, true, locked), predict(vectors, lies, locked)
    free = ~locked[honest.rows]
    assert np.array_equal(honest.probabilities[free], lying.probabilities[free])
    assert locked[honest.rows].sum() == locked.sum()
    assert not locked[honest.without(locked).rows].any()


def test_rare_labels_and_rows_without_a_value_are_left_alone():
    vectors, true = blobs(120)
    values = [None if at % 10 == 0 else value for at, value in enumerate(true)]
    values[1] = values[3] = "seen twice"
    found = predict(vectors, values, unlocked(values))
    assert found.names == LABELS
    assert not {0, 1, 3, 10} & set(found.rows.tolist())


@pytest.mark.parametrize(
    "values", [["card"] * 60, [None] * 60, ["card", "fee"] * 4, [f"label {at}" for at in range(60)]]
)
def test_too_little_to_learn_from_is_no_fault(values):
    vectors, _ = blobs(len(values))
    assert predict(vectors, values, unlocked(values)) is None


def test_folds_hold_each_label_evenly():
    labels = np.repeat([0, 1, 2], [50, 7, 23])
    fold = folds(labels, np.ones(80, np.bool_))
    assert sorted(set(fold.tolist())) == list(range(FOLDS))
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_the_confident_joint_of_a_case_by_hand():
    """Thresholds are the means 0.6 and 0.7; row 1 is confidently of the other label, row 2 of none."""
    labels = np.array([0, 0, 0, 1, 1])
    of_zero = np.array([0.9, 0.3, 0.6 - 1e-9, 0.2, 0.4])
    probabilities = np.column_stack([of_zero, 1 - of_zero])
    assert confident_joint(labels, probabilities).tolist() == [[1.0, 1.0], [0.0, 1.0]]
    found = OutOfFold(np.arange(5), ("a", "b"), labels, probabilities, np.zeros(5, np.bool_))
    assert estimated_errors(found) == round(5 - (0.5 * 3 + 1.0 * 2))


def test_equal_meaning_is_told_at_the_later_row_and_a_conflict_at_both():
    index = np.array([[1, 2], [0, 2], [3, 0], [2, 1]])
    cosine = np.array([[0.95, 0.1], [0.95, 0.1], [0.92, 0.1], [0.92, 0.1]], np.float32)
    found = same_meaning.find(Neighbours(index, cosine), {"": ["a", "a", "a", "b"]}, 0.9)
    assert [(one.row, one.other, one.code) for one in found] == [
        (1, 0, "same_meaning"),
        (2, 3, "meaning_conflict"),
        (3, 2, "meaning_conflict"),
    ]
    assert same_meaning.find(Neighbours(index, cosine), {"": ["a", "a", "a", "b"]}, 0.96) == []


def test_a_planted_row_is_far_and_few_others_are():
    vectors, _ = blobs(400)
    stranger = np.zeros((1, 24), np.float16)
    stranger[0, 0] = -1
    found = far.find(nearest(np.concatenate([vectors, stranger]), 10))
    assert found[0].row == 400
    assert len(found) <= 4
    assert far.find(nearest(vectors[:20], 10)) == []
    assert far.find(nearest(np.tile(vectors[:1], (100, 1)), 10)) == []


def test_enough_says_what_the_evidence_says():
    vectors, true = blobs(400)
    learned = judge({"": predict(vectors, true, unlocked(true))}, None)
    assert (learned["begin"], learned["more"]) == ("yes", "levels_off")
    by_chance = [LABELS[at] for at in np.random.default_rng(5).integers(0, 4, 400)]
    assert judge({"": predict(vectors, by_chance, unlocked(by_chance))}, None)["begin"] == "no"
    few, values = blobs(60, spread=2.0)
    harder = judge({"": predict(few, values, unlocked(values))}, None)
    assert harder["all"]["low"] < harder["all"]["value"] < harder["all"]["high"]
    assert judge({}, None)["begin"] == "unknown"
    by_inputs = judge({}, nearest(vectors, 10))
    assert by_inputs["begin"] == "unknown"
    assert by_inputs["more"] == "levels_off"


def test_half_of_the_others_never_hold_a_like_row_that_all_do_not():
    vectors, _ = blobs(100, spread=3.0)
    alone, by_half = alone_in(nearest(vectors, 10))
    assert (by_half | ~alone).all()
