"""Searching: by words, by meaning, and both made one; an index that is kept is built once and never half."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import InputError
from tunesmith.retrieval import index as index_module
from tunesmith.retrieval.index import Index, build_or_open, open_index
from tunesmith.retrieval.keywords import Keywords, terms
from tunesmith.retrieval.search import DAMPING, best, fused

TEXTS = ["The code of the Falcon room is 4417.", "Lunch is at noon.", "The Maple hall seats forty."]
orders = st.lists(st.permutations(range(6)).map(lambda some: some[:4]), min_size=1, max_size=3)


def test_words_find_the_text_that_shares_the_rarest_without_regard_to_case_and_accents():
    found = Keywords(["Café at the corner", "a bar at the corner", "nothing"]).scores("CAFE corner")
    assert found.argmax() == 0
    assert found[1] > found[2] == 0
    assert terms("Grüße, 4417-B!") == ["gruße".replace("ß", "ss"), "4417", "b"]


@pytest.mark.parametrize("texts", [[], ["", "…"], ["word"]])
def test_what_shares_no_word_scores_nothing(texts):
    assert Keywords(texts).scores("other things").tolist() == [0.0] * len(texts)


@given(orders)
def test_fusion_adds_one_over_sixty_plus_the_rank(orders):
    found = fused(orders)
    for hit in found:
        expected = sum(1 / (DAMPING + order.index(hit.index) + 1) for order in orders if hit.index in order)
        assert hit.score == pytest.approx(expected)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert {hit.index for hit in found} == {at for order in orders for at in order}


def test_meaning_finds_what_words_do_not():
    vectors = np.array([[1, 0], [0, 1]], np.float16)
    found = best(Keywords(["a kettle", "a sofa"]), vectors, "couch", np.array([0.1, 0.9], np.float32), 1)
    assert [hit.index for hit in found] == [1]


def test_the_text_itself_can_be_left_out():
    found = Index.of(TEXTS, None).search([TEXTS[0]], 3, leave_out=[0])
    assert 0 not in {hit.index for hit in found[0]}
    assert Index.of(TEXTS, None).search([TEXTS[0]], 1)[0][0].index == 0


@pytest.fixture
def documents(tmp_path):
    place = tmp_path / "docs"
    place.mkdir()
    for number, text in enumerate(TEXTS):
        (place / f"{number}.txt").write_text(text, encoding="utf-8")
    return place


def test_an_index_is_built_once_and_anew_when_a_document_changes(documents, tmp_path, monkeypatch):
    built = []
    real = index_module.read_sections
    monkeypatch.setattr(index_module, "read_sections", lambda place: built.append(place) or real(place))
    keep = tmp_path / "kept"
    for _ in range(2):
        found = build_or_open(documents, 50, keep)
        assert found.search(["code of the falcon room"], 1)[0][0].text == TEXTS[0]
    assert len(built) == 1
    (documents / "1.txt").write_text("Lunch is at one.", encoding="utf-8")
    assert any(chunk.text == "Lunch is at one." for chunk in build_or_open(documents, 50, keep).chunks)
    build_or_open(documents, 20, keep)
    assert len(built) == 3


@pytest.mark.parametrize("damage", ["chunks.parquet", "index.json"])
def test_a_damaged_index_is_built_anew(documents, tmp_path, damage):
    keep = tmp_path / "kept"
    build_or_open(documents, 50, keep)
    [folder] = keep.iterdir()
    (folder / damage).write_bytes(b"{}" if damage.endswith("json") else b"PAR1")
    with pytest.raises(InputError, match="damaged_artifact"):
        open_index(folder, None)
    assert len(build_or_open(documents, 50, keep).chunks) == len(TEXTS)
    assert len(open_index(folder, None).chunks) == len(TEXTS)


def test_an_index_that_was_cut_off_leaves_nothing(documents, tmp_path, monkeypatch):
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(index_module, "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        build_or_open(documents, 50, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_documents_without_text_are_told(documents, tmp_path):
    for path in documents.iterdir():
        path.write_text("  \n", encoding="utf-8")
    with pytest.raises(InputError, match="no_knowledge"):
        build_or_open(documents, 50, tmp_path / "kept")


def test_the_real_encoder_finds_by_meaning_and_its_vectors_are_kept(documents, tmp_path, minilm):
    for _ in range(2):  # built, and opened
        found = build_or_open(documents, 50, tmp_path / "kept", encoder=minilm.folder, encoder_sha256=minilm.sha256)
        assert found.search(["when do we eat?"], 1)[0][0].text == "Lunch is at noon."
        assert found.index.vectors is not None
