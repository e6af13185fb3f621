"""Which server answers for a version that was recorded for one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from tunesmith.deployment.upstream_settings import UpstreamSettings
from tunesmith.deployment.versions import Record
from tunesmith.engines.openai_endpoint import Endpoint
from tunesmith.errors import InputError
from tunesmith.server.preparing_upstream import upstream_of

HERE = "http://127.0.0.1:8001/v1"


def project(**upstream: Any) -> Any:
    settings = UpstreamSettings(**upstream) if upstream else None
    return SimpleNamespace(name="desk", settings=SimpleNamespace(serve=SimpleNamespace(upstream=settings)))


def recorded(**upstream: Any) -> Record:
    told = {"kind": "vllm", **UpstreamSettings(url=HERE, model="desk", **upstream).model_dump()}
    return Record("0" * 64, "0000", 1, {}, {"form": "vllm: desk", "upstream": told})


def endpoint(here: Any, record: Record) -> Endpoint:
    found = upstream_of(here, record)
    assert found is not None
    return found.endpoint


def test_a_version_stays_with_its_server_whatever_the_settings_name_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk")
    for here in (project(), project(url="http://other/v1", key_env="OTHER_KEY"), project(url=HERE, model="else")):
        found = endpoint(here, recorded())
        assert (found.url, found.model, found.key_env) == (HERE, "desk", None)  # nor does it get another's key


def test_how_the_same_server_is_asked_is_as_the_settings_say_now() -> None:
    assert endpoint(project(url=HERE + "/", timeout_seconds=5, at_once=3), recorded(timeout_seconds=60)).timeout == 5


def test_a_server_that_wants_a_key_which_is_not_there_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UP_KEY", raising=False)
    with pytest.raises(InputError, match="endpoint_key_missing"):
        upstream_of(project(url=HERE, key_env="UP_KEY"), recorded())


def test_a_version_that_is_served_here_has_none() -> None:
    assert upstream_of(project(url=HERE), Record("0" * 64, "0000", 1, {}, {"form": "gguf-f16"})) is None


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8001", "ftp://host/v1", "http://host:99999/v1", "http://me:secret@host/v1", "http://host/v1?key=1"],
)
def test_an_address_is_one_and_holds_no_key(url: str) -> None:
    with pytest.raises(ValidationError):
        UpstreamSettings(url=url)
