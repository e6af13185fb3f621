from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tunesmith import catalog
from tunesmith.catalog import HubSource, LocalSource, WheelSource
from tunesmith.errors import InputError
from tunesmith.stages.base.naming import is_commit

SHA256_DIGITS = 64


def test_every_entry_of_the_catalogue_is_whole():
    seen = 0
    for entry in catalog.entries():
        seen += 1
        assert entry.kind in ("causal_lm", "encoder")
        assert entry.licence in ("Apache-2.0", "MIT")
        assert entry.parameters > 1_000_000
        assert entry.context >= 512
        assert entry.memory_to_train > entry.memory_to_serve > entry.parameters * 4 / 1e6
        assert entry.memory_basis.startswith(("measured", "estimated"))
        assert entry.languages
        assert entry.about.endswith(".")
        assert set(entry.outputs) == ({"label"} if entry.kind == "encoder" else {"text", "json"})
    assert seen == 6
    assert len({entry.name for entry in catalog.entries()}) == 6


def test_every_source_is_pinned_by_hash_and_stands_in_the_order_folder_hub_wheel():
    order = {LocalSource: 0, HubSource: 1, WheelSource: 2}
    hubs = wheels = 0
    for entry in catalog.entries():
        places = [order[type(source)] for source in entry.sources]
        assert places == sorted(places)
        for source in entry.sources:
            if isinstance(source, HubSource):
                hubs += 1
                assert is_commit(source.revision)
                assert source.sha256 is not None
                assert len(source.sha256) == SHA256_DIGITS
                assert source.unchecked
                assert source.basis
            if isinstance(source, WheelSource):
                wheels += 1
                assert len(source.sha256) == len(source.wheel_sha256) == SHA256_DIGITS
    assert (hubs, wheels) == (6, 2)


def test_only_the_two_offline_bases_are_called_checked():
    assert [entry.name for entry in catalog.entries() if entry.checked] == ["smollm2-135m-instruct", "all-minilm-l6-v2"]


def test_no_two_entries_share_an_environment_variable():
    names = [source.env for entry in catalog.entries() for source in entry.sources if isinstance(source, LocalSource)]
    assert len(names) == len(set(names)) == 6


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("smolm2-135m-instruct", "smollm2-135m-instruct"), ("All-MiniLM-L6", "all-minilm-l6-v2"), ("bge-small", "bge-")],
)
def test_an_unknown_base_is_told_with_the_nearest_name_and_the_list(typed, meant):
    with pytest.raises(InputError) as caught:
        catalog.find(typed)
    assert caught.value.code == "unknown_base"
    assert f"did you mean {meant}" in caught.value.fix
    assert all(entry.name in caught.value.fix for entry in catalog.entries())


def test_a_name_like_no_other_gets_the_list_without_a_guess():
    with pytest.raises(InputError) as caught:
        catalog.find("zzz")
    assert "did you mean" not in caught.value.fix


def test_a_local_source_is_the_folder_that_its_variable_names(monkeypatch, tmp_path):
    source = LocalSource("TUNESMITH_BASE_TEST")
    monkeypatch.delenv("TUNESMITH_BASE_TEST", raising=False)
    assert source.folder() is None
    monkeypatch.setenv("TUNESMITH_BASE_TEST", str(tmp_path))
    assert source.folder() == tmp_path


@pytest.mark.parametrize(("value", "off"), [("1", True), ("true", True), ("0", False), ("", False)])
@pytest.mark.parametrize("name", ["TUNESMITH_OFFLINE", "HF_HUB_OFFLINE"])
def test_the_hub_is_switched_off_by_either_variable(monkeypatch, name, value, off):
    for each in catalog.OFFLINE_SWITCHES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)
    assert catalog.hub_switched_off() == (name if off else None)


def test_reading_the_catalogue_loads_no_heavy_package():
    code = (
        "import sys; from tunesmith import catalog; from tunesmith.stages.base import run; catalog.entries();"
        "print([name for name in ('torch', 'transformers', 'huggingface_hub', 'gguf') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert answer.stdout.strip() == "[]"
