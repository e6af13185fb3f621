"""Spans say what came of a request by the conventions for generative AI, and nothing of what was said."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.unit.deployment.test_traffic import exchange
from tunesmith.deployment.exchange import Action, Exchange
from tunesmith.deployment.traces import Traces, open_traces
from tunesmith.errors import MissingExtra


def spans_of(*exchanges: Exchange) -> Any:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for one in exchanges:
        asyncio.run(Traces(provider.get_tracer("tunesmith")).record(one))
    return exporter.get_finished_spans()


def test_a_request_is_a_span_with_its_figures_and_times():
    one = exchange("a secret question", "a secret answer", arrived_at=1000.0)
    one.asked_model, one.prompt_tokens, one.completion_tokens, one.finish_reason = "desk", 7, 3, "stop"
    one.total, one.first_token = 2.5, 0.5
    one.actions.append(Action("cards", "mask", "before"))
    [span] = spans_of(one)
    assert (span.name, span.kind) == ("chat desk", SpanKind.SERVER)
    assert (span.start_time, span.end_time) == (1000 * 10**9, 1002_500_000_000)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "tunesmith",
        "gen_ai.request.model": "desk",
        "gen_ai.response.model": "desk@0123",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "http.response.status_code": 200,
        "tunesmith.rules": ("cards:mask",),
    }
    assert {name: span.attributes[name] for name in expected} == expected
    assert "secret" not in span.to_json()


def test_errors_are_named_and_those_of_the_server_are_errors_of_the_span():
    refused, failed = exchange("x"), exchange("x")
    refused.status, refused.error = 429, "queue_full"
    failed.status, failed.error = 500, "internal_error"
    first, second = spans_of(refused, failed)
    assert (first.attributes["error.type"], first.status.status_code) == ("queue_full", StatusCode.UNSET)
    assert (second.attributes["error.type"], second.status.status_code) == ("internal_error", StatusCode.ERROR)


@pytest.mark.parametrize(
    ("header", "parent"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0xB7AD6B7169203331),
        ("jo@example.org", None),
        (None, None),
    ],
)
def test_the_span_belongs_to_that_of_the_client_where_it_names_one(header, parent):
    [span] = spans_of(exchange("x", trace_parent=header))
    assert (span.parent.span_id if span.parent else None) == parent
    assert "example.org" not in span.to_json()


def test_what_no_model_worked_at_has_no_span():
    one = exchange("x")
    one.route = "/v1/models"
    assert spans_of(one) == ()


def test_without_the_packages_it_is_said_what_to_install(monkeypatch):
    real = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr("tunesmith.deployment.traces.find_spec", without)
    with pytest.raises(MissingExtra, match="tunesmith\\[otel\\]"):
        open_traces("desk")
