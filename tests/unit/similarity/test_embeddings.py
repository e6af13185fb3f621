"""Sentence embeddings, their nearest neighbours and clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.products import BaseModel
from tunesmith.similarity.clusters import cluster, typical_words
from tunesmith.similarity.embeddings import batches_of, embed
from tunesmith.similarity.neighbours import nearest

TEXTS = ["My card was stolen.", "Someone took my bank card.", "I like hiking in spring.", "", "word " * 600, "\ud83d?"]


@given(lengths=st.lists(st.integers(1, 256), max_size=80), at_once=st.integers(1, 1000))
def test_every_text_is_in_one_batch_and_no_batch_is_too_large(lengths, at_once):
    batches = batches_of(lengths, at_once)
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[at] for at in batch)
        assert len(batch) == 1 or len(batch) * longest <= at_once


def test_vectors_are_the_mean_of_the_token_states(minilm: BaseModel):
    import torch
    from transformers import AutoModel, AutoTokenizer

    found = embed(TEXTS, minilm.folder)
    tokenizer = AutoTokenizer.from_pretrained(minilm.folder)
    model = AutoModel.from_pretrained(minilm.folder).eval()
    for text, vector in zip(TEXTS[:4], found, strict=False):
        tokens = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            mean = model(**tokens).last_hidden_state[0].mean(0)  # nothing is padded
        expected = torch.nn.functional.normalize(mean, dim=0).numpy()
        assert np.abs(vector.astype(np.float32) - expected).max() < 2e-3
    assert np.allclose(np.linalg.norm(found.astype(np.float32), axis=1), 1, atol=2e-3)
    assert found[0].astype(np.float32) @ found[1] > 0.6 > found[0].astype(np.float32) @ found[2]


def test_a_text_has_the_same_vector_whatever_stands_beside_it(minilm: BaseModel):
    told: list[tuple[int, int]] = []
    together = embed(TEXTS, minilm.folder, lambda done, total: told.append((done, total)))
    alone = np.concatenate([embed([text], minilm.folder) for text in TEXTS])
    assert np.abs(together.astype(np.float32) - alone).max() < 2e-3
    assert told[-1] == (len(TEXTS), len(TEXTS))


@settings(max_examples=30)
@given(rows=st.integers(0, 40), count=st.integers(1, 12), seed=st.integers(0, 9))
def test_neighbours_are_those_of_brute_force(rows, count, seed):
    vectors = _unit(np.random.default_rng(seed).normal(size=(rows, 8)))
    found = nearest(vectors, count)
    for row in range(rows):
        cosines = {
            other: float(vectors[row].astype(np.float32) @ vectors[other]) for other in range(rows) if other != row
        }
        best = sorted(cosines.values(), reverse=True)[: min(count, rows - 1)]
        assert found.cosine[row] == pytest.approx(best, abs=1e-3)
        assert row not in found.index[row]
        assert len(set(found.index[row].tolist())) == len(best)


def test_blobs_are_clusters_and_the_same_each_time():
    centres = _unit(np.random.default_rng(0).normal(size=(4, 32))).astype(np.float32)
    true = np.arange(120) % 4
    vectors = _unit(centres[true] + 0.05 * np.random.default_rng(1).normal(size=(120, 32)))
    found = cluster(vectors)
    again = cluster(vectors)
    assert found is not None
    assert again is not None
    assert (found.of == again.of).all()
    assert len(set(zip(found.of.tolist(), true.tolist(), strict=True))) == 4
    assert [found.of[central] for central in found.central] == [0, 1, 2, 3]
    assert cluster(vectors[:20]) is None


def test_words_that_all_clusters_share_name_none():
    texts = ["the printer is out of toner", "the printer needs toner", "toner for the printer"] * 2
    texts += ["the salary is late", "where is the salary slip", "the salary slip"] * 2
    words = typical_words(texts, np.repeat([0, 1], 6))
    assert words[0][:2] == ["printer", "toner"]
    assert "salary" in words[1]
    assert "the" not in words[0] + words[1]


def _unit(vectors):
    return (vectors / np.maximum(1e-9, np.linalg.norm(vectors, axis=1, keepdims=True))).astype(np.float16)
