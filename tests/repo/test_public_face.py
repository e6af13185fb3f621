"""What `tunesmith` offers, and nothing else by accident."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tunesmith
from tests.repo.modules import ROOT

PUBLIC = ["InputError", "Project", "TunesmithError", "__version__"]


def test_the_public_names_are_these():
    assert sorted(tunesmith.__all__) == PUBLIC


def test_each_public_name_can_be_had():
    for name in PUBLIC:
        assert getattr(tunesmith, name) is not None
    assert issubclass(tunesmith.InputError, tunesmith.TunesmithError)


def test_nothing_else_is_offered():
    assert dir(tunesmith) == PUBLIC
    starred: dict[str, object] = {}
    exec("from tunesmith import *", starred)
    assert sorted(set(starred) - {"__builtins__"}) == PUBLIC


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        _ = tunesmith.Pipeline


def test_importing_it_is_light():
    code = "import sys, tunesmith; print(*sorted({'torch', 'transformers', 'pyarrow', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_version_is_the_one_of_the_changelog():
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert tunesmith.__version__ in (version, "0+unknown")
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
