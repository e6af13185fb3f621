from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest
from base_stage_fakes import COMMIT
from hypothesis import given
from hypothesis import strategies as st

from tunesmith import catalog
from tunesmith.catalog import HubSource
from tunesmith.errors import InputError
from tunesmith.stages.base import hub, naming
from tunesmith.stages.base.unavailable import Unavailable

SOURCE = HubSource("someone/tiny", "main")


@pytest.fixture(autouse=True)
def _switched_on(monkeypatch):
    for name in catalog.OFFLINE_SWITCHES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", catalog.OFFLINE_SWITCHES)
def test_a_hub_that_is_switched_off_is_not_asked_at_all(monkeypatch, name):
    asked = []
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(hub, "_head", asked.append)
    with pytest.raises(Unavailable, match=name):
        hub.resolve(SOURCE)
    assert asked == []


def test_a_hub_that_hangs_costs_no_more_than_the_limit(monkeypatch):
    monkeypatch.setattr(hub, "TIMEOUT", 0.2)
    monkeypatch.setattr(hub, "_head", lambda source: time.sleep(5))
    started = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer"):
        hub.resolve(SOURCE)
    assert time.monotonic() - started < 2


def test_a_broken_line_is_told_as_unreachable(monkeypatch):
    def head(source):
        raise ConnectionError("no route")

    monkeypatch.setattr(hub, "_head", head)
    with pytest.raises(Unavailable, match="cannot be reached"):
        hub.resolve(SOURCE)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_repository_that_is_not_there_for_us_is_told_as_such(monkeypatch, status):
    class Refused(Exception):
        response = SimpleNamespace(status_code=status)

    def head(source):
        raise Refused

    monkeypatch.setattr(hub, "_head", head)
    with pytest.raises(Unavailable) as caught:
        hub.resolve(SOURCE)
    assert f"status {status}" in caught.value.what
    assert "HF_TOKEN" in caught.value.fix


def test_the_answer_is_the_commit(monkeypatch):
    monkeypatch.setattr(hub, "_head", lambda source: COMMIT)
    assert hub.resolve(SOURCE) == COMMIT


def test_real_question_to_the_hub_ends_within_its_limit():
    started = time.monotonic()
    with contextlib.suppress(Unavailable):  # no network here
        assert naming.is_commit(hub.resolve(HubSource("sentence-transformers/all-MiniLM-L6-v2", "main")))
    assert time.monotonic() - started < hub.TIMEOUT + 2


@pytest.mark.parametrize(
    ("model", "repository", "revision"),
    [
        ("owner/name", "owner/name", "main"),
        ("owner/na.me@v1.0", "owner/na.me", "v1.0"),
        ("a/b@refs/pr/1", "a/b", "refs/pr/1"),
    ],
)
def test_a_hub_id_is_told_from_a_name(model, repository, revision):
    (source,) = naming.parse(model).sources
    assert (source.repository, source.revision) == (repository, revision)


def test_an_existing_folder_wins_over_a_hub_id(tmp_path):
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert naming.parse("models/mine", tmp_path).folder == tmp_path / "models" / "mine"
    assert naming.parse("models/other", tmp_path).folder is None


@given(st.text(min_size=1, max_size=40))
def test_whatever_is_typed_is_a_base_or_an_input_error(model):
    try:
        named = naming.parse(model)
    except InputError as error:
        outcome = error.code
    else:
        outcome = "a base" if named.folder is not None or named.sources else "nothing"
    path_like = model.startswith("~")  # a home folder that is not there is told as a folder, not as a name
    assert outcome in ("unknown_base", "a base") or (path_like and outcome == "no_such_base")
