"""How many spans one thread gets out, and what becomes of the rest: ``table.py --only total full-speed no-receiver``.

The bare SDK (batch processor, OTLP over HTTP) and ours, each in a process of its own with its defaults, send to the
same sink: a process that keeps what it gets and counts it when all is over, so that receiving costs next to nothing.
CPU is that of the whole sending process, from the first span to the end of shutdown.
"""

from __future__ import annotations

import gzip
import json
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from typing import Any, Final

from rounds import Cost, Costs, Figure, compared

#: In a round of the whole table: at full speed, at a pace that both sides keep up with, without a receiver.
SPANS, PACED, DOWN = 300_000, 30_000, 1_000_000
#: Fewer rounds than this are a trial, with a tenth of the spans.
WHOLE: Final = 10

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


def produce(who: str, endpoint: str, spans: int, pause: int) -> dict[str, Any]:
    """Make spans, end everything, and tell what it took; after each ``pause`` spans all of them are delivered first."""
    from opentelemetry import trace

    telemetry = {"bare": begin_bare, "ours": begin_ours}[who](endpoint)
    tracer = trace.get_tracer("bench")
    start = tracer.start_as_current_span
    before = most_memory()
    began, cpu_began = time.perf_counter(), time.process_time()
    for _ in range(spans // pause):
        for _ in range(pause):
            with start("work", attributes=ATTRIBUTES):
                pass
        if pause < spans:
            telemetry.force_flush()
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


def run(who: str, endpoint: str, spans: int, pause: int | None = None) -> dict[str, Any]:
    """The same in a process of its own."""
    arguments = [sys.executable, __file__, who, endpoint, str(spans), str(pause or spans)]
    finished = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
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


def lost(book: dict[str, Any]) -> int:
    """What the ledger says that was lost."""
    return sum(book["dropped"].values()) + book["unconfirmed"]


def total(rounds: int) -> list[Figure]:
    """CPU of a span from its start to the answer of the receiver, where none is lost."""
    spans = PACED if rounds >= WHOLE else PACED // 10
    costs: Costs = {"bare": [], "ours": []}
    missing = 0
    sink = Sink()
    try:
        for number in range(max(2, rounds // 3)):
            for who in costs if number % 2 else reversed(costs):
                told = run(who, sink.endpoint, spans, pause=1000)
                missing += spans - sink.arrived()
                costs[who].append(Cost(told["cpu"] / spans, told["cpu"] / spans, told["whole"] / spans))
    finally:
        sink.close()
    note = f"{missing:,} lost" if missing else "none lost"
    return [compared("a span, made and exported over OTLP/HTTP", costs["ours"], costs["bare"], 0.12, note=note)]


def full_speed(rounds: int) -> list[Figure]:
    """What arrives of one thread that does nothing but make spans."""
    spans = SPANS if rounds >= WHOLE else SPANS // 10
    rates: dict[str, list[float]] = {"bare": [], "ours": []}
    missing = {"bare": 0, "ours": 0}
    costs: dict[str, list[float]] = {"bare": [], "ours": []}
    counted = True
    sink = Sink()
    try:
        for _ in range(max(1, rounds // 10)):
            for who, arriving in rates.items():
                told = run(who, sink.endpoint, spans)
                arrived = sink.arrived()
                arriving.append(arrived / told["whole"])
                costs[who].append(told["cpu"] / max(1, arrived))
                missing[who] += spans - arrived
                counted = counted and ("book" not in told or lost(told["book"]) == spans - arrived)
    finally:
        sink.close()
    made = spans * len(rates["ours"])
    share = {who: f"{number / made:.0%}" for who, number in missing.items()}
    dearer = statistics.median(a / b for a, b in zip(costs["ours"], costs["bare"], strict=True))
    each = "each of it counted" if counted else "NOT ALL OF IT COUNTED"
    return [
        Figure(
            what="spans that arrive in a second, at full speed",
            value=statistics.median(rates["ours"]),
            least=max(rates["ours"]),
            goal=100_000,
            unit="/s",
            more=True,
            bare=f"{statistics.median(rates['bare']):,.0f}",
            ours=f"{statistics.median(rates['ours']):,.0f}",
            kept=counted,
            note=f"lost {share['ours']}, {each}; bare loses {share['bare']}; CPU of one that arrives {dearer:.2f}",
        )
    ]


def no_receiver(rounds: int) -> list[Figure]:
    """What becomes of a million spans when nobody takes them."""
    from aumos_otel.config import OTLP
    from aumos_otel.config.identity import Identity

    spans = DOWN if rounds >= WHOLE else DOWN // 10
    told = run("ours", "http://127.0.0.1:9", spans)
    book = told["book"]
    cap, budget = OTLP().resolve({}, {}, {}).queue_bytes, Identity().resolve({}, {}, {}).shutdown_timeout
    counted = book["emitted"] == spans == lost(book)
    left = told["leaving"]
    return [
        Figure(
            what=f"no receiver, {spans:,} spans: memory",
            value=told["grown"] / MIB,
            least=told["grown"] / MIB,
            goal=cap / MIB + 32,
            unit="MiB",
            ours=f"{told['grown'] / MIB:.0f}",
            kept=counted and left <= budget,
            note=f"{'all counted as lost' if counted else 'NOT ALL COUNTED'}; left in {left:.2f} s of {budget:.0f} s",
        )
    ]


def main() -> None:
    """The other end of `run` and `Sink`."""
    if sys.argv[1:] == ["sink"]:
        serve()
    else:
        who, endpoint, spans, pause = sys.argv[1:]
        print(json.dumps(produce(who, endpoint, int(spans), int(pause))))


if __name__ == "__main__":
    main()
