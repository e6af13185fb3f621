"""What is asked by the server's own description of itself is answered as it describes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import CHECKS

from tests.unit.server.conftest import Running

#: Wrong requests too, as hypothesis and schemathesis make them.
HELD_TO = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ROUTES = 8


def described(server: Running) -> dict[str, Any]:
    return dict(server.ask("GET", "/openapi.json").json())


def ask_as_described(server: Running, examples: int) -> int:
    """Ask every route so many times at most, rightly and wrongly; return how many routes there were."""
    told: Counter[int] = Counter()
    headers = {"authorization": f"Bearer {server.key}"}
    config = schemathesis.Config.from_dict({"generation": {"mode": "all"}})
    schema = schemathesis.openapi.from_dict(described(server), config=config)
    checks = [CHECKS.get_one(name) for name in HELD_TO]
    routes = [result.ok() for result in schema.get_all_operations()]
    for route in routes:

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=route.as_strategy(), model=st.sampled_from(["echo", "letters", None]))
        def ask(case: Any, model: str | None) -> None:
            if model and isinstance(case.body, dict) and "model" in case.body:
                case.body["model"] = model  # one that is there, so that what lies behind is reached
            if model and "name" in case.path_parameters:
                case.path_parameters["name"] = model
            response = case.call(base_url=server.url, headers=headers, timeout=60)
            told[response.status_code] += 1
            case.validate_response(response, checks=checks)

        ask()
    print(f"{told.total():,} requests on {len(routes)} routes, by status: {dict(sorted(told.items()))}")  # noqa: T201
    return len(routes)


def test_the_description_tells_of_keys_and_of_every_refusal(server: Running) -> None:
    told = described(server)
    assert len(told["paths"]) >= ROUTES
    for path, methods in told["paths"].items():
        for route in methods.values():
            needs_key = path != "/health"
            assert (route["security"] == [{"key": []}]) is needs_key
            assert ("401" in route["responses"]) is needs_key
            assert "422" not in route["responses"]
    assert "text/event-stream" in told["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    validator = Draft202012Validator(told["components"]["schemas"]["Error"])
    validator.validate(server.ask("GET", "/v1/models/nobody").json())


def test_what_is_asked_by_the_description_breaks_nothing(server: Running) -> None:
    assert ask_as_described(server, 8) >= ROUTES


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/completions"])
def test_each_event_of_a_stream_is_as_described(server: Running, route: str) -> None:
    content = described(server)["paths"][route]["post"]["responses"]["200"]["content"]["text/event-stream"]
    validator = Draft202012Validator(content["itemSchema"])
    asked = {"messages": [{"role": "user", "content": "a b"}]} if "chat" in route else {"prompt": "a b"}
    answer = server.ask("POST", route, json={"model": "echo", "stream": True, **asked})
    events = [{"data": event.removeprefix("data: ")} for event in answer.text.split("\n\n") if event]
    assert len(events) > 2
    assert events[-1] == {"data": "[DONE]"}
    for event in events:
        validator.validate(event)
    assert not validator.is_valid({"data": "a b"})


@pytest.mark.soak
@pytest.mark.timeout(3600)  # some 16,000 requests
def test_what_is_asked_by_the_description_breaks_nothing_for_long(server: Running) -> None:
    assert ask_as_described(server, 2000) >= ROUTES
