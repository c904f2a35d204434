"""A plugin of pytest for the SDK project's own tests: has them run against our providers, and counts what was made.

`upstream.py` loads it.  In the environment are

* ``CONFORMANCE_SIDE``: ``stock`` leaves everything as it is; ``ours`` puts our providers in the place of the SDK's;
  ``spans`` also has our span made by whoever calls the constructor of the SDK's;
* ``CONFORMANCE_REPORT``: the file that gets the outcome of each test, and how many spans and meters there were of which package.
"""

from __future__ import annotations

import collections
import functools
import importlib
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

import sides
from opentelemetry.sdk import resources, trace

from aumos_otel import guard
from aumos_otel.recording.limits import Limits
from aumos_otel.recording.span import Span

SIDE = os.environ.get("CONFORMANCE_SIDE", "stock")
SIGNATURE = inspect.signature(trace.Span.__init__)

outcomes: dict[str, str] = {}
made: collections.Counter[str] = collections.Counter()


def pytest_configure() -> None:
    """Swap, before the first test module is imported."""
    providers = [(sides.stock(signal), sides.ours(signal)) for signal in sides.PROVIDERS]
    count(trace.Span)
    count(Span)
    if SIDE == "stock":
        return
    for stock, ours in providers:
        replace(stock, ours)
    count_meters(sides.ours("metrics"))
    if SIDE == "spans":
        replace(trace._Span, ConstructedSpan)
    keep(trace)
    guard.set_strict(True)  # what another package's processor gets, it gets on the test's thread and at once


def replace(stock: Any, ours: Any) -> None:
    """Put ``ours`` where any module of OpenTelemetry says ``stock``."""
    for name, module in list(sys.modules.items()):
        if name.startswith("opentelemetry."):
            for key, value in list(vars(module).items()):
                if value is stock:
                    setattr(module, key, ours)


def keep(module: Any) -> None:
    """Reloading ``module``, which would bring the SDK's classes back, does nothing."""
    reload = importlib.reload
    importlib.reload = lambda given: given if given is module else reload(given)


def count(kind: Any) -> None:
    """Count the spans that are made of a class."""
    constructor = kind.__init__

    @functools.wraps(constructor)
    def counting(self: Any, *args: Any, **kwargs: Any) -> None:
        made[f"span of {package(kind)}"] += 1
        constructor(self, *args, **kwargs)

    kind.__init__ = counting


def count_meters(provider: Any) -> None:
    """Count the meters that a class of providers gives."""
    get_meter = provider.get_meter

    @functools.wraps(get_meter)
    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        meter = get_meter(self, *args, **kwargs)
        made[f"meter of {package(type(meter))}"] += 1
        return meter

    provider.get_meter = counting


def package(kind: type) -> str:
    """Where a class comes from."""
    return kind.__module__.partition(".")[0]


class Recorder:
    """Stands for the tracer of a span that no tracer has made."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.limits = Limits.of(trace.SpanLimits() if given["limits"] is trace._UnsetLimits else given["limits"])
        self.resource = given["resource"] or resources.Resource.create({})
        self.scope = given["instrumentation_scope"]
        self.span_processor = given["span_processor"]
        self.instrumentation_info = given["instrumentation_info"]
        self.processors = self

    @property
    def endings(self) -> tuple[Any, ...]:
        """Whom to tell of the end that comes."""
        return (self.span_processor._on_ending,)

    @property
    def ends(self) -> tuple[Any, ...]:
        """Whom to tell of the end."""
        return ((self.span_processor.on_end, None),)


class ConstructedSpan(Span):
    """Our span behind the constructor of the SDK's, which is started by a call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = SIGNATURE.bind(self, *args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        identity = (given["kind"], given["context"], given["parent"], None)
        super().__init__(Recorder(given), given["name"], *identity, True, given["attributes"], None)
        self.start_time = None
        self.record_exception_on_exit = given["record_exception"]
        self.set_status_on_exit = given["set_status_on_exception"]
        for event in given["events"] or ():
            self.add_event(event.name, event.attributes, event.timestamp)
        for link in given["links"] or ():
            self.add_link(link.context, link.attributes)

    def start(self, start_time: int | None = None, parent_context: Any = None) -> None:
        """Start it; only the first call counts."""
        if self.start_time is not None:
            trace.logger.warning("Calling start() on a started span.")
            return
        self.start_time = trace.time_ns() if start_time is None else start_time
        self.recorder.span_processor.on_start(self, parent_context=parent_context)

    def end(self, end_time: int | None = None) -> None:
        """End it."""
        if self.start_time is None:
            raise RuntimeError("Calling end() on a not started span.")
        super().end(end_time)


def pytest_runtest_logreport(report: Any) -> None:
    """Keep what became of a test: the worst that one of its phases said."""
    if report.failed:
        outcomes[report.nodeid] = "failed"
    elif report.skipped:
        outcomes.setdefault(report.nodeid, "skipped")
    elif report.when == "call":
        outcomes.setdefault(report.nodeid, "passed")


def pytest_collectreport(report: Any) -> None:
    """A module that cannot be imported counts as a test that fails."""
    if report.failed:
        outcomes[report.nodeid] = "failed"


def pytest_sessionfinish() -> None:
    """Write the report."""
    Path(os.environ["CONFORMANCE_REPORT"]).write_text(json.dumps({"outcomes": outcomes, "made": made}))
