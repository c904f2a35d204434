"""How many spans one thread gets out at full speed, and what becomes of the rest: ``python tests/bench/throughput.py``.

The bare SDK (batch processor, OTLP over HTTP) and ours, each in a process of its own with its defaults, send to the
same sink: a process that keeps what it gets and counts it when all is over, so that receiving costs next to nothing.
The rounds alternate; the ratios are medians over the rounds.  CPU is that of the whole sending process, from the first
span to the end of shutdown.  The last lines tell what happens to a million spans when there is no receiver at all.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from typing import Any, Final

ROUNDS: Final = int(os.environ.get("AUMOS_BENCH_ROUNDS", "3"))
SPANS: Final = int(os.environ.get("AUMOS_BENCH_SPANS", "300000"))
DOWN: Final = 1_000_000

ATTRIBUTES: Final = {
    "http.request.method": "GET",
    "http.route": "/chat",
    "n": 1,
    "ok": True,
    "url.full": "https://a.example/b",
}
ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
MIB: Final = 2**20


def serve() -> None:
    """The sink: prints its port; on a line of input it prints how many spans it has got since the last one."""
    bodies: list[tuple[bool, bytearray]] = []
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            wire, _ = listener.accept()
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=receive, args=(wire, bodies), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    for _ in sys.stdin:
        print(sum(count(packed, body) for packed, body in bodies), flush=True)
        bodies.clear()


def receive(wire: socket.socket, bodies: list[tuple[bool, bytearray]]) -> None:
    """Read requests from one connection and answer them."""
    pending = b""
    while True:
        while b"\r\n\r\n" not in pending:
            more = wire.recv(65536)
            if not more:
                return
            pending += more
        head, _, rest = pending.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        body = bytearray(length)
        body[: len(rest)] = rest[:length]
        pending, at = rest[length:], min(len(rest), length)
        view = memoryview(body)
        while at < length:
            got = wire.recv_into(view[at:])
            if not got:
                return
            at += got
        bodies.append((b"content-encoding: gzip" in lines, body))
        wire.sendall(ANSWER)


def count(packed: bool, body: bytearray) -> int:
    """Spans of a request."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else bytes(body))
    return sum(len(scope.spans) for of_resource in request.resource_spans for scope in of_resource.scope_spans)


def begin_bare(endpoint: str) -> Any:
    """The SDK by hand."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "bench"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider


def begin_ours(endpoint: str) -> Any:
    """The product, with its defaults."""
    import aumos_otel as aumos

    return aumos.configure(
        service_name="bench",
        destinations=[aumos.OTLP(endpoint=endpoint, signals=["traces"])],
        metrics=False,
        logs=False,
        instrumentations=False,
    )


def produce(who: str, endpoint: str, spans: int) -> dict[str, Any]:
    """Make spans at full speed, end everything, and tell what it took."""
    from opentelemetry import trace

    telemetry = {"bare": begin_bare, "ours": begin_ours}[who](endpoint)
    tracer = trace.get_tracer("bench")
    start = tracer.start_as_current_span
    before = most_memory()
    began, cpu_began = time.perf_counter(), time.process_time()
    for _ in range(spans):
        with start("work", attributes=ATTRIBUTES):
            pass
    made = time.perf_counter() - began
    leaving = time.perf_counter()
    telemetry.shutdown()
    ended = time.perf_counter()
    told = {
        "made": made,
        "whole": ended - began,
        "leaving": ended - leaving,
        "cpu": time.process_time() - cpu_began,
        "grown": most_memory() - before,
    }
    if who == "ours":
        told["book"] = telemetry.status().destinations[0]
    return told


def most_memory() -> int:
    """Bytes that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(who: str, endpoint: str, spans: int) -> dict[str, Any]:
    """The same in a process of its own."""
    arguments = [sys.executable, __file__, who, endpoint, str(spans)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_EXPORTER")}
    finished = subprocess.run(arguments, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


class Sink:
    """The sink in its process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.endpoint = f"http://127.0.0.1:{self._line()}"

    def arrived(self) -> int:
        """Spans since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def show_full_speed() -> None:
    """One thread at full speed into the sink."""
    from rich.console import Console
    from rich.table import Table

    table = Table("who", "spans/s made", "arrived/s", "CPU us a span", "CPU us arrived", "lost", "of it counted")
    ratios: dict[str, list[float]] = {"arrived/s": [], "CPU a span": [], "CPU of one that arrived": []}
    sink = Sink()
    try:
        for _ in range(ROUNDS):
            found = {}
            for who in ("bare", "ours"):
                told = run(who, sink.endpoint, SPANS)
                arrived = sink.arrived()
                book = told.get("book")
                dropped = sum(book["dropped"].values()) + book["unconfirmed"] if book else None
                found[who] = (arrived / told["whole"], told["cpu"] / SPANS * 1e6, told["cpu"] / max(1, arrived) * 1e6)
                rates = f"{SPANS / told['made']:,.0f}", f"{found[who][0]:,.0f}"
                costs = f"{found[who][1]:.2f}", f"{found[who][2]:.2f}"
                table.add_row(who, *rates, *costs, f"{SPANS - arrived:,}", "no" if dropped is None else f"{dropped:,}")
            for name, ours, bare in zip(ratios, found["ours"], found["bare"], strict=True):
                ratios[name].append(ours / bare)
    finally:
        sink.close()
    console = Console(width=120)
    console.print(table)
    console.print(
        "ours to bare: " + ", ".join(f"{name} {statistics.median(all_):.2f}" for name, all_ in ratios.items())
    )


def show_without_a_receiver() -> None:
    """What a million spans do when nobody takes them."""
    told = run("ours", "http://127.0.0.1:9", DOWN)
    book = told["book"]
    print(
        f"no receiver, {DOWN:,} spans: {told['grown'] / MIB:.0f} MiB more at most, {book['dropped']}, "
        f"unconfirmed {book['unconfirmed']}, queued {book['queued']}, emitted {book['emitted']:,}; "
        f"{DOWN / told['made']:,.0f} spans/s; left in {told['leaving']:.2f} s; CPU {told['cpu'] / DOWN * 1e6:.2f} us a span"
    )


def main() -> None:
    """Whatever the arguments say."""
    if sys.argv[1:2] == ["sink"]:
        serve()
    elif len(sys.argv) > 1:
        who, endpoint, spans = sys.argv[1:]
        print(json.dumps(produce(who, endpoint, int(spans))))
    else:
        show_full_speed()
        show_without_a_receiver()


if __name__ == "__main__":
    main()
