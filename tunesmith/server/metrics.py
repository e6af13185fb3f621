"""Prometheus' figures of this process, named as vLLM names its own.

Labels hold the server's own words alone (models, versions, routes, codes, rules): nothing of what a client wrote. Of
versions the last `VERSIONS` are told, so that a server which has deployed a hundred does not grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tunesmith.deployment.exchange import Exchange
from tunesmith.deployment.traffic import between_tokens
from tunesmith.server.served import ServedLabels

if TYPE_CHECKING:
    from tunesmith.server.registry import Registry

PREFIX = "tunesmith:"
VERSIONS = 32
#: Seconds; as vLLM cuts its own.
FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160)
BETWEEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5)
WHOLE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
OF_VERSION = ("model_name", "version")


class Metrics:
    """What is counted as requests end, and what is looked up when the figures are asked for."""

    def __init__(self, registry: Registry) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

        disable_created_metrics()  # a series more for each, that no vLLM dashboard asks for
        self._registry = registry
        self._collected = CollectorRegistry()
        self._versions: dict[tuple[str, str], None] = {}
        self._of_version: list[Any] = []

        def counter(name: str, told: str, *labels: str) -> Any:
            return self._keep(Counter(PREFIX + name, told, (*OF_VERSION, *labels), registry=self._collected))

        def histogram(name: str, told: str, buckets: tuple[float, ...]) -> Any:
            return self._keep(Histogram(PREFIX + name, told, OF_VERSION, buckets=buckets, registry=self._collected))

        self._requests = Counter(
            f"{PREFIX}http_requests",
            "Requests, refused ones too.",
            ("route", "status", "code"),
            registry=self._collected,
        )
        self._successes = counter("request_success", "Requests that were answered.", "finished_reason")
        self._prompt = counter("prompt_tokens", "Tokens of prompts.")
        self._generation = counter("generation_tokens", "Tokens of answers.")
        self._handed_off = counter("handed_off", "Requests that are for a person.")
        self._rules = counter("rule_actions", "What rules did.", "rule", "did", "place")
        self._first = histogram("time_to_first_token_seconds", "From the request to its first token.", FIRST_TOKEN)
        self._between = histogram(
            "request_time_per_output_token_seconds", "From one token to the next, the mean of an answer.", BETWEEN
        )
        self._whole = histogram("e2e_request_latency_seconds", "From the request to the end of its answer.", WHOLE)
        self._queue = histogram("request_queue_time_seconds", "Waited for a turn at the model.", WHOLE)
        self._prompts = histogram("request_prompt_tokens", "Tokens of the prompt.", TOKENS)
        self._answers = histogram("request_generation_tokens", "Tokens of the answer.", TOKENS)
        self._collected.register(_Now(registry))

    @property
    def media_type(self) -> str:
        from prometheus_client import CONTENT_TYPE_LATEST

        return str(CONTENT_TYPE_LATEST)

    def text(self) -> bytes:
        """The figures as Prometheus reads them."""
        from prometheus_client import generate_latest

        return bytes(generate_latest(self._collected))

    def refused(self, route: str, status: int, code: str) -> None:
        """Count a request that was refused before its key was known."""
        self._requests.labels(route, str(status), code).inc()

    def ended(self, exchange: Exchange) -> None:
        """Count a request that is over, however it ended."""
        self._requests.labels(exchange.route, str(exchange.status), exchange.error or "").inc()
        if not exchange.version:
            return
        version = (exchange.version.partition("@")[0], exchange.version)
        self._hold(version)
        self._prompt.labels(*version).inc(exchange.prompt_tokens)
        self._generation.labels(*version).inc(exchange.completion_tokens)
        if exchange.handed_off:
            self._handed_off.labels(*version).inc()
        for action in exchange.actions:
            self._rules.labels(*version, action.rule, action.did, action.where).inc()
        if exchange.status >= 400:
            return
        self._successes.labels(*version, exchange.finish_reason or "stop").inc()
        times = (
            (self._first, exchange.first_token),
            (self._between, between_tokens(exchange)),
            (self._whole, exchange.total),
            (self._queue, exchange.waited),
            (self._prompts, exchange.prompt_tokens),
            (self._answers, exchange.completion_tokens),
        )
        for histogram, value in times:
            if value is not None:
                histogram.labels(*version).observe(value)

    def _keep(self, metric: Any) -> Any:
        self._of_version.append(metric)
        return metric

    def _hold(self, version: tuple[str, str]) -> None:
        """Remember that a version was used, and forget the one that was not used for longest where they are many."""
        self._versions.pop(version, None)
        self._versions[version] = None
        if len(self._versions) > VERSIONS:
            oldest = next(iter(self._versions))
            del self._versions[oldest]
            for metric in self._of_version:
                metric.remove_by_labels(dict(zip(OF_VERSION, oldest, strict=True)))


class _Now:
    """What is going on at this moment, asked of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        running = GaugeMetricFamily(f"{PREFIX}num_requests_running", "Requests at the model now.", labels=OF_VERSION)
        waiting = GaugeMetricFamily(
            f"{PREFIX}num_requests_waiting", "Requests that wait for a turn.", labels=OF_VERSION
        )
        info = GaugeMetricFamily(
            f"{PREFIX}model_info", "The models that are served.", labels=(*OF_VERSION, "engine", "output")
        )
        for one in self._registry.served:
            version = [one.version.name, one.version.full_name]
            waits = one.gate.waiting
            running.add_metric(version, max(0, self._registry.held(one.version.full_name) - waits))
            waiting.add_metric(version, waits)
            kind = "label" if isinstance(one, ServedLabels) else one.version.goal.output
            info.add_metric([*version, one.engine.name, kind], 1)
        yield from (running, waiting, info)
