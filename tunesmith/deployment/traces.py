"""Each request as an OpenTelemetry span, by the conventions for generative AI: figures and names, never texts.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.errors import MissingExtra
from tunesmith.version import __version__

#: What a client asks for, by the route it asks on; other routes are no work of a model and have no span.
OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
    "/v1/classifications": "classify",
}
NANO = 1e9
_PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def open_traces(name: str) -> Traces:
    """Spans of a project's requests, sent in batches to where the environment says (``OTEL_EXPORTER_OTLP_ENDPOINT``).

    Raises MissingExtra where the packages are not installed.
    """
    require_otel()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider.get_tracer("tunesmith", __version__))


def require_otel() -> None:
    """Raises MissingExtra ``missing_extra``."""
    for package in _PACKAGES:
        try:
            there = find_spec(package) is not None
        except ModuleNotFoundError:
            there = False
        if not there:
            raise MissingExtra(
                "opentelemetry-sdk" if "sdk" in package else "opentelemetry-exporter-otlp-proto-http", "otel"
            )


@dataclass(frozen=True)
class Traces:
    """A recorder that makes one span of a request. ``tracer`` is OpenTelemetry's."""

    tracer: Any

    async def record(self, exchange: Exchange) -> None:
        operation = OPERATIONS.get(exchange.route)
        if operation is None:
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode

        span = self.tracer.start_span(
            f"{operation} {exchange.asked_model}".rstrip(),
            context=_caller(exchange.trace_parent),
            kind=SpanKind.SERVER,
            start_time=int(exchange.arrived_at * NANO),
            attributes=attributes_of(exchange, operation),
        )
        if exchange.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int((exchange.arrived_at + (exchange.total or 0.0)) * NANO))


def attributes_of(exchange: Exchange, operation: str) -> dict[str, Any]:
    """The attributes of a request's span; what is not known is left out."""
    failed = exchange.status >= 400
    found = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "tunesmith",
        "gen_ai.request.model": exchange.asked_model or None,
        "gen_ai.request.stream": exchange.stream,
        "gen_ai.response.model": exchange.version or None,
        "gen_ai.response.id": exchange.id,
        "gen_ai.response.finish_reasons": [exchange.finish_reason] if exchange.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": exchange.first_token,
        "gen_ai.usage.input_tokens": exchange.prompt_tokens or None,
        "gen_ai.usage.output_tokens": exchange.completion_tokens or None,
        "http.route": exchange.route,
        "http.response.status_code": exchange.status or None,
        "error.type": (exchange.error or str(exchange.status)) if failed else None,
        "tunesmith.key": exchange.key,
        "tunesmith.waited": exchange.waited,
        "tunesmith.confidence": exchange.confidence,
        "tunesmith.handed_off": exchange.handed_off,
        "tunesmith.shadow": exchange.shadow or None,
        "tunesmith.rules": [f"{one.rule}:{one.did}" for one in exchange.actions] or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _caller(parent: str | None) -> Any:
    """The span of whoever asked, where they sent one that can be read."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {}, Context())
