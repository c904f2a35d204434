"""Rows 1, 8 and 10: what is left when the process is told to go, and how long leaving and flushing take."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
import urllib.request
from typing import TYPE_CHECKING

from lab import Finding, say
from opentelemetry import metrics, trace

if TYPE_CHECKING:
    from lab import Lab
    from sides import Side


def emit_spans(count: int) -> None:
    """Spans with the numbers from 0 as names."""
    tracer = trace.get_tracer("compare")
    for number in range(count):
        tracer.start_span(str(number)).end()


def emit_one_of_each() -> None:
    """A counter and a log record."""
    metrics.get_meter("compare").create_counter("orders").add(1)
    logging.getLogger("compare").warning("hello")


def spans_then_wait(side: Side) -> None:
    """Scenario: spans, then waiting for a signal."""
    side.start()
    emit_spans(100)
    say(ready=True)
    signal.pause()


def web_service(side: Side) -> None:
    """Scenario: a FastAPI service under uvicorn, not changed for any side but for its instrumentation."""
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()

    @app.get("/")
    def root() -> str:
        return "hello"

    side.start()
    side.instrument(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        say(port=listener.getsockname()[1])
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])


def sigterm(lab: Lab) -> Finding:
    """Row 1: SIGTERM with a full queue and a healthy collector."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        with lab.started("leaving:spans_then_wait", sink.url) as process:
            process.wait_for_line()
            process.popen.send_signal(signal.SIGTERM)
            process.end()
        plain = sink.tally("traces").distinct
    with OTLPSink() as sink:
        with lab.started("leaving:web_service", sink.url) as process:
            port = process.wait_for_line()["port"]
            for _ in range(10):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
                    answer.read()
            process.popen.send_signal(signal.SIGTERM)
            process.end()
        served = sum(span.kind == span.SPAN_KIND_SERVER for span in sink.spans())
    return Finding(f"plain {plain} of 100 spans, uvicorn {served} of 10 requests", plain == 100 and served == 10)  # noqa: PLR2004 - the counts of above


def full_exit(side: Side) -> None:
    """Scenario: 2000 spans, a counter, a log record, and the end of the program."""
    side.start()
    emit_spans(2000)
    emit_one_of_each()
    say(ready=True)


def exit_time(lab: Lab) -> Finding:
    """Row 8: the end of a program whose collector is down, or hangs."""
    from aumos_otel.testing import OTLPSink

    seconds = {}
    for state in ("down", "hanging"):
        sink = OTLPSink()
        with sink:
            sink.hold()
            if state == "down":
                sink.stop()
            with lab.started("leaving:full_exit", sink.url) as process:
                process.wait_for_line()
                process.end()
                seconds[state] = process.since
    text = ", ".join(f"{state} {taken:.1f} s" for state, taken in seconds.items())
    return Finding(text, max(seconds.values()) <= 5.5)  # noqa: PLR2004 - a budget of 5 s


def short_flush(side: Side) -> None:
    """Scenario: a flush that may take 100 ms."""
    side.start()
    emit_spans(10)
    started = time.monotonic()
    with contextlib.suppress(Exception):  # a provider of the SDK raises when a reader was late
        side.flush(0.1)
    say(seconds=time.monotonic() - started)
    os._exit(0)  # leaving is another row


def flush_time(lab: Lab) -> Finding:
    """Row 10: ``force_flush(100 ms)`` while the collector hangs."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        sink.hold()
        seconds = lab.run("leaving:short_flush", sink.url).report["seconds"]
    return Finding(f"{seconds:.2f} s", seconds < 0.5)  # noqa: PLR2004 - 100 ms and a busy machine
