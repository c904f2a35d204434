"""The Prometheus page: our metrics, and the user's own of prometheus_client, on one endpoint.

The page is pulled: nothing is collected between scrapes.  Prometheus gets OpenMetrics with
exemplars when it asks for it, the classic text format otherwise.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Final, cast

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader, MetricsData
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app, start_http_server
from prometheus_client.core import Metric, Sample
from prometheus_client.exposition import choose_encoder, gzip_accepted

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel._internal.listeners import owner_of
from aumos_otel.exporters import exposition
from aumos_otel.exporters.family import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.simple_server import WSGIServer
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("aumos_otel")

_INSTRUMENTS: Final = (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
#: Most distinct problems that are remembered.
_PROBLEM_LIMIT: Final = 100
#: The page is compressed for a network that is near: a higher level costs more than it saves.
_GZIP_LEVEL: Final = 1
_ANY_HOST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what the user may bind to, not what we bind


class PrometheusPage:
    """A metric reader and the HTTP endpoint that shows what it collects.

    Args:
        host: address to listen on.
        port: port to listen on; 0 takes any free one, see `url`.
        registry: the registry of prometheus_client that is shown too; while the page is
            started it holds our metrics, so that a page of the user's own has them as well.
        cardinality_limit: most series of one metric.
        amend: adds to what has been collected; it does not raise.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 9464,
        registry: CollectorRegistry = REGISTRY,
        cardinality_limit: int = 2000,
        amend: Callable[[MetricsData], MetricsData] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.reader = PrometheusReader(cardinality_limit, on_shutdown=self.stop, amend=amend)
        self._registry = registry
        self._problems = Problems()
        self._collector: _Collector | None = None
        self._server: tuple[WSGIServer, threading.Thread] | None = None
        self._pid = 0

    @property
    def url(self) -> str:
        """Where the page is; with port 0 it is known once the page has started."""
        port = self._server[0].server_port if self._server is not None else self.port
        host = _ANY_HOST.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    def start(self) -> str | None:
        """Show the page.  In a forked child it may be called again: the child gets an endpoint of its own.

        Returns:
            None, or why there is no endpoint and what to do; this is also logged, once, as a warning.
            The metrics are in the registry all the same.
        """
        self._leave_inherited()
        if self._server is not None:
            return None
        if self._collector is None:
            self._collector = _Collector(self.reader, self._problems)
            self._registry.register(self._collector)
        self._pid = os.getpid()
        try:
            server, thread = start_http_server(self.port, self.host, self._registry)
        except (OSError, OverflowError, UnicodeError) as error:
            problem = self._explain(error)
            logger.warning("%s", problem)
            return problem
        server.set_app(_Application(_Merged(self._registry, self._problems)))
        thread.name = "aumos-otel-prometheus"
        self._server = server, thread
        return None

    def stop(self) -> None:
        """Close the endpoint and take our metrics out of the registry; again is harmless."""
        self._leave_inherited()
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):  # Linux wakes the waiting thread; elsewhere it looks up twice a second
                server[0].socket.shutdown(socket.SHUT_RDWR)
            server[0].shutdown()
            server[0].server_close()
            server[1].join()
        self._unregister()

    def text(self, *, openmetrics: bool = False) -> bytes:
        """What a scrape of the endpoint gets."""
        encode, _ = choose_encoder("application/openmetrics-text" if openmetrics else "")
        return page_of(_Merged(self._registry, self._problems), encode, openmetrics=openmetrics)

    def problems(self) -> tuple[str, ...]:
        """What the page had to leave out so far, one sentence each."""
        return self._problems.seen()

    def _leave_inherited(self) -> None:
        """After a fork the listening socket is the parent's, and no thread serves it here."""
        if self._pid and self._pid != os.getpid():
            if self._server is not None:
                self._server[0].server_close()
                self._server = None
            self._unregister()

    def _unregister(self) -> None:
        collector, self._collector = self._collector, None
        if collector is not None:
            with guard.swallow("exporters.prometheus.unregister"):
                self._registry.unregister(collector)

    def _explain(self, error: Exception) -> str:
        owner = owner_of(self.port) if self.port else None
        by = f", {owner} has the port" if owner else ""
        return exposition.clean(
            f"no Prometheus page at {self.host}:{self.port}: {error}{by}; "
            "set AUMOS_OTEL_PROMETHEUS_PORT to a free port, or to 0 for any (several workers need that)"
        )


class PrometheusReader(MetricReader):
    """Keeps what the SDK hands over until the page has turned it into text."""

    #: Of instruments of ours it gets rows instead of data points, which would take longer to make than the page.
    takes_rows: Final = True

    def __init__(
        self,
        cardinality_limit: int,
        on_shutdown: Callable[[], None],
        amend: Callable[[MetricsData], MetricsData] | None = None,
    ) -> None:
        super().__init__(
            preferred_temporality=dict.fromkeys(_INSTRUMENTS, AggregationTemporality.CUMULATIVE),
            cardinality_limits=dict.fromkeys(_INSTRUMENTS, cardinality_limit),
        )
        self._on_shutdown = on_shutdown
        self._amend = amend
        self._received: MetricsData | None = None

    def take(self) -> MetricsData | None:
        """Collect now; None before a meter provider has the reader."""
        self._received = None
        self.collect()
        received, self._received = cast("MetricsData | None", self._received), None  # collect() calls _receive_metrics
        return received if received is None or self._amend is None else self._amend(received)

    def _receive_metrics(self, metrics_data: MetricsData, *_args: object, **_kwargs: object) -> None:
        self._received = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing to push: a collection here would take the exemplars from the next scrape."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_kwargs: object) -> None:  # noqa: ARG002 - the SDK's signature
        """Close the page."""
        self._on_shutdown()


class Problems:
    """What had to be left out: each sentence is logged and counted once."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}
        self._renew_lock()
        forking.in_child(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, sentence: str) -> None:
        """Remember, log and count."""
        with self._lock:
            if sentence in self._seen or len(self._seen) >= _PROBLEM_LIMIT:
                return
            self._seen[sentence] = None
        logger.warning("Prometheus page: %s", sentence)
        guard.record("exporters.prometheus.left_out", ValueError(sentence))

    def seen(self) -> tuple[str, ...]:
        """All of them."""
        with self._lock:
            return tuple(self._seen)


class _Collector:
    """What the registry asks for our metrics."""

    def __init__(self, reader: PrometheusReader, problems: Problems) -> None:
        self._reader = reader
        self._problems = problems
        self._renew_lock()
        forking.in_child(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing in advance: without this the registry would collect to register us."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The families of one collection; scrapes at the same time take turns."""
        with guard.swallow("exporters.prometheus.collect"), self._lock:  # rows are read as the families are made
            data = self._reader.take()
            return [] if data is None else exposition.families(data, self._problems)
        return []


class _Application:
    """What the endpoint answers: prometheus_client's pages, but that our families write their text themselves."""

    def __init__(self, registry: _Merged) -> None:
        self._registry = registry
        self._general: WSGIApplication = make_wsgi_app(registry)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The page, or what there is to say about another request."""
        encode, kind = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        whole = environ["REQUEST_METHOD"] == "GET" and not environ.get("QUERY_STRING")
        if not whole or environ["PATH_INFO"] == "/favicon.ico" or "escaping=dots" in kind:
            return self._general(environ, start_response)
        page = page_of(self._registry, encode, openmetrics=kind.startswith("application/openmetrics-text"))
        headers = [("Content-Type", kind)]
        if gzip_accepted(environ.get("HTTP_ACCEPT_ENCODING", "")):
            page = gzip.compress(page, _GZIP_LEVEL)
            headers.append(("Content-Encoding", "gzip"))
        start_response("200 OK", headers)
        return [page]


def page_of(registry: _Merged, encode: Callable[..., bytes], *, openmetrics: bool) -> bytes:
    """All families; ``encode`` writes those that are not of our making."""
    ours: list[str] = []
    theirs = CollectorRegistry()
    others: list[Metric] = []
    for family in registry.collect():
        if isinstance(family, Family):
            ours.append(family.text(openmetrics=openmetrics))
        else:
            others.append(family)
    end = b"# EOF\n" if openmetrics else b""
    theirs.register(_Fixed(others))
    return encode(theirs).removesuffix(end) + "".join(ours).encode() + end


class _Fixed:
    """A collector of families that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Them."""
        return self._families


class _Merged:
    """A registry whose page is valid whatever its collectors hold: equal names are merged, all text is encodable."""

    def __init__(self, registry: CollectorRegistry, problems: Problems, names: frozenset[str] | None = None) -> None:
        self._registry = registry
        self._problems = problems
        self._names = names

    def restricted_registry(self, names: Iterable[str]) -> _Merged:
        """Only samples of these names: what ``?name[]=`` asks for."""
        return _Merged(self._registry, self._problems, frozenset(names))

    def collect(self) -> Iterable[Metric]:
        """All families, each name once; one of ours as it is where it is alone."""
        found: dict[str, list[Metric]] = {}
        claims = exposition.Claims()
        for metric in self._registry.collect():
            owner = claims.take(metric.name, metric.type)
            if owner is None and metric.type == "info" and metric.name in found:
                owner = f"another {metric.type} of this name"
            if owner is not None:
                self._problems(f"{metric.type} {exposition.clean(metric.name)!r} is left out: {owner} came first")
                continue
            found.setdefault(metric.name, []).append(metric)
        for metrics in found.values():
            if self._names is None and len(metrics) == 1 and isinstance(metrics[0], Family):
                yield metrics[0]
                continue
            merged = self._merge(metrics)
            if merged.samples or self._names is None:
                yield merged

    def _merge(self, metrics: list[Metric]) -> Metric:
        """One family of all; new, because a custom collector may hand out the same object twice."""
        first = metrics[0]
        known: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
        for sample in (sample for metric in metrics for sample in self._wanted(metric.samples)):
            if known.setdefault((sample.name, frozenset(sample.labels.items())), sample) is not sample:
                self._problems(f"a second series {exposition.clean(sample.name)}{sample.labels} is left out")
        merged = Metric(first.name, exposition.clean(first.documentation), first.type, first.unit)
        merged.samples = list(known.values())
        return merged

    def _wanted(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            if self._names is not None and sample.name not in self._names:
                continue
            if all(value.isascii() for value in sample.labels.values()):
                yield sample
            else:
                yield sample._replace(labels={key: exposition.clean(value) for key, value in sample.labels.items()})
