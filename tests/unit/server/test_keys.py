"""Keys are shown once and kept as hashes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import InputError
from tunesmith.server.access import may_use
from tunesmith.server.keys import Key, Keys, Limits


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


def test_a_file_that_an_earlier_version_wrote_is_read(tmp_path: Path) -> None:
    limits = {"requests_a_minute": 5, "at_once": 64, "tokens_a_request": None}
    entry = {"name": "old", "sha256": hashlib.sha256(b"secret").hexdigest(), "made_at": 1.0, "limits": limits}
    (tmp_path / "keys.json").write_text(json.dumps({"version": 1, "keys": [entry]}))
    found = Keys(tmp_path / "keys.json").holder_of("secret")
    assert found is not None
    assert found.limits == Limits(requests_a_minute=5)


def test_limits_are_read_as_they_were_written(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    limits = Limits(1, 2, 3, 4, ("support-desk", "ticket-routing@3f2a"))
    assert keys.holder_of(keys.make("some", limits)).limits == limits  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("models", "name", "may"),
    [
        (None, "a", True),
        (("a",), "a", True),
        (("a",), "a@3f2a", True),
        (("a",), "a:canary", True),
        (("a",), "ab", False),
        (("a",), "b", False),
        (("a@3f2a",), "a@3f2a", True),
        (("a@3f2a",), "a@3f2a99", True),
        (("a@3f2a",), "a@3f2b", False),
        (("a@3f2a",), "a", False),
        (("a:canary",), "a:canary", True),
        (("a:canary",), "a:canary2", False),
        (("a:canary",), "a", False),
        ((), "a", False),
    ],
)
def test_a_key_may_ask_for_a_model_or_for_one_of_its_versions(models: Any, name: str, may: bool) -> None:
    assert may_use(Key("some", "", 0.0, Limits(models=models)), name) is may


def test_faults_of_keys_say_what_to_do(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    keys.make("first", Limits())
    with pytest.raises(InputError) as twice:
        keys.make("first", Limits())
    with pytest.raises(InputError) as unknown:
        keys.revoke("second")
    for wrong in ("{bad", "{}"):
        keys.path.write_text(wrong)
        with pytest.raises(InputError) as damaged:
            keys.all()
        assert "tunesmith run" not in str(damaged.value)  # that would make no keys
    assert [error.value.code for error in (twice, unknown, damaged)] == [
        "key_exists",
        "unknown_key_name",
        "damaged_keys",
    ]
