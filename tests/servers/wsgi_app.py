"""A WSGI application each of whose requests is one event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import metrics
from servers.forks import event
from servers.work import configure

telemetry = configure(service_name="wsgi")
count = metrics.get_meter("tests").create_counter("events")


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer."""
    event(count)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
