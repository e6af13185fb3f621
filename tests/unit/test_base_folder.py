from __future__ import annotations

import json

import pytest
from base_stage_fakes import PARAMETERS, fake_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith import base_folder
from tunesmith.errors import InputError


@pytest.fixture
def cached(tmp_path):
    folder = fake_model(tmp_path / "base")
    base_folder.write_record(folder, {"source": "test"})
    return folder


def test_an_untouched_base_is_accepted(cached):
    base_folder.verify(cached)
    base_folder.verify(cached, full=True)


def test_the_record_has_no_time_and_is_the_same_each_time(cached):
    first = (cached / base_folder.RECORD).read_text()
    base_folder.write_record(cached, {"source": "test"})
    assert (cached / base_folder.RECORD).read_text() == first


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_flipped_bit_in_any_file_is_found_and_named(cached, data):
    names = sorted(base_folder.read_record(cached)["files"])
    name = data.draw(st.sampled_from(names))
    content = (cached / name).read_bytes()
    place, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    (cached / name).write_bytes(content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :])
    try:
        with pytest.raises(InputError) as caught:
            base_folder.verify(cached, full=True)
    finally:
        (cached / name).write_bytes(content)
    assert caught.value.code == "corrupted_base"
    assert caught.value.where == str(cached / name)
    assert base_folder.read_record(cached)["files"][name]["sha256"] in caught.value.what
    assert "tunesmith base --refetch" in caught.value.fix


def test_a_truncated_file_is_found_without_hashing(cached):
    weights = cached / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError) as caught:
        base_folder.verify(cached)
    assert caught.value.code == "corrupted_base"
    assert "bytes" in caught.value.what


def test_a_missing_file_is_found_without_hashing(cached):
    (cached / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="no such file"):
        base_folder.verify(cached)


def test_a_deleted_cache_is_told_as_gone(tmp_path):
    with pytest.raises(InputError) as caught:
        base_folder.verify(tmp_path / "nowhere")
    assert caught.value.code == "base_gone"


@pytest.mark.parametrize("text", ["", "[]", '{"files": []}', '{"files": {"a": {}}}', "{"])
def test_a_damaged_record_is_told_as_corruption(cached, text):
    (cached / base_folder.RECORD).write_text(text)
    with pytest.raises(InputError) as caught:
        base_folder.verify(cached)
    assert caught.value.code == "corrupted_base"


def test_parameters_are_counted_from_the_headers_alone(cached):
    assert base_folder.count_parameters(cached) == PARAMETERS


def test_a_users_own_folder_needs_no_record(tmp_path):
    base_folder.verify(fake_model(tmp_path / "mine"), full=True)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_folder_with_pickled_weights_only_is_refused(tmp_path, name):
    folder = fake_model(tmp_path / "mine")
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(InputError) as caught:
        base_folder.check_form(folder)
    assert caught.value.code == "pickled_base"


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_part_of_a_model_is_refused(tmp_path, missing):
    folder = fake_model(tmp_path / "mine")
    (folder / missing).unlink()
    with pytest.raises(InputError) as caught:
        base_folder.check_form(folder)
    assert caught.value.code == "incomplete_base"


@pytest.mark.parametrize("content", [b"", b"1234567", b"\xff" * 64, b"\x02" + b"\0" * 7 + b"[["])
def test_weights_without_a_whole_header_are_refused(tmp_path, content):
    folder = fake_model(tmp_path / "mine")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError) as caught:
        base_folder.count_parameters(folder)
    assert caught.value.code == "corrupted_base"


def test_sharded_weights_have_one_hash_that_any_shard_changes(tmp_path):
    folder = fake_model(tmp_path / "mine")
    (folder / "model-00002.safetensors").write_bytes(b"second")
    before = base_folder.weights_sha256(folder)
    (folder / "model-00002.safetensors").write_bytes(b"Second")
    assert base_folder.weights_sha256(folder) != before
    assert len(json.dumps(before)) == 66
