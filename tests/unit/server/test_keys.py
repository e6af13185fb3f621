"""Keys are shown once and kept as hashes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tunesmith.errors import InputError
from tunesmith.server.keys import Keys, Limits


def test_a_key_is_known_by_its_hash_alone_in_a_file_of_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys = Keys(tmp_path / "made" / "keys.json")
        secret = keys.make("first", Limits(at_once=3))
    finally:
        os.umask(before)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert secret.partition("-")[2] not in keys.path.read_text()
    assert [path.name for path in keys.path.parent.iterdir()] == ["keys.json"]
    found = keys.holder_of(secret)
    assert found is not None
    assert (found.name, found.limits.at_once) == ("first", 3)
    assert keys.holder_of(secret[:-1]) is None
    assert keys.holder_of("") is None


def test_what_another_process_does_to_keys_counts_at_once(tmp_path: Path) -> None:
    serving, other = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    assert serving.holder_of("x") is None
    secret = other.make("first", Limits())
    second = other.make("second", Limits())
    assert serving.holder_of(secret) is not None
    other.revoke("first")
    assert serving.holder_of(secret) is None
    assert serving.holder_of(second) is not None


def test_faults_of_keys_say_what_to_do(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    keys.make("first", Limits())
    with pytest.raises(InputError) as twice:
        keys.make("first", Limits())
    with pytest.raises(InputError) as unknown:
        keys.revoke("second")
    keys.path.write_text("{}")
    with pytest.raises(InputError) as damaged:
        keys.all()
    assert [error.value.code for error in (twice, unknown, damaged)] == [
        "key_exists",
        "unknown_key_name",
        "damaged_keys",
    ]
