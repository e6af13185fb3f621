"""What is wrong with a server behind the model is told with what its owner can do about it."""

from __future__ import annotations

import pytest

from tests.unit.upstream_double import upstream
from tunesmith.engines.openai_endpoint import Endpoint
from tunesmith.engines.upstream import Upstream
from tunesmith.errors import InputError
from tunesmith.export.upstream import reach


@pytest.mark.parametrize(
    ("fault", "fix"), [("401", "serve.upstream.key_env"), ("404", "serve.upstream.url"), ("503", "see that it runs")]
)
def test_what_an_upstream_refuses_comes_with_what_to_mend(
    fault: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UP_KEY", "sk-very-secret")
    with upstream(faults=[fault]) as double, pytest.raises(InputError) as told:
        reach(Upstream("openai", Endpoint("upstream", double.url, "m", "UP_KEY", 5.0, 4, 1, {}, "serve.upstream")))
    assert fix in (told.value.fix or "")
    assert "sk-very-secret" not in str(told.value)


def asked_by_ids(url: str) -> Upstream:
    return Upstream("vllm", Endpoint("upstream", url, "m", None, 5.0, 4, 1, {}, "serve.upstream"))


def test_a_server_that_tells_no_token_ids_is_to_be_asked_by_messages() -> None:
    with upstream(tells_ids=False) as double, pytest.raises(InputError) as told:
        reach(asked_by_ids(double.url))
    assert told.value.fix == "`--engine openai` asks it by messages, which needs no token ids"


@pytest.mark.parametrize("fault", ["400", "404", "another"])
def test_one_that_takes_no_token_ids_may_be_asked_by_messages_too(fault: str) -> None:
    with upstream(faults=[fault]) as double, pytest.raises(InputError) as told:
        reach(asked_by_ids(double.url))
    assert "asked by messages: --engine openai" in (told.value.fix or "")
