"""What it costs until telemetry is on, in new processes: ``import`` and ``configure()``, beside the bare SDK by hand.

Both sides set up traces, metrics and logs over OTLP/HTTP; ours is asked for nothing else, so that its defaults are on:
redaction, detectors of the resource, the search for instrumentations.  Nothing is sent, and the process leaves without
shutting down.

Bytecode is written to a directory of its own: where PYTHONDONTWRITEBYTECODE is set, as in many containers, whoever
was installed without compiling would be compiled again in each process, and that would be what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rounds import Cost, Costs, Figure, compared

BARE = """
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
resource = Resource.create({"service.name": "bench"})
tracers, loggers = TracerProvider(resource=resource), LoggerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource))
_logs.set_logger_provider(loggers)
"""
OURS = """
import aumos_otel
aumos_otel.configure(service_name="bench")
"""
#: What every process pays.
PLAIN = ""

#: At the end: nothing is shut down, and a process that is asked tells its modules and its memory in KiB.
END = """
import os, sys
if sys.argv[1:]:
    import resource
    print(len(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
os._exit(0)
"""


def startup(rounds: int, others: Mapping[str, str] | None = None) -> list[Figure]:
    """CPU until telemetry is on, of the process and all its threads; with ``others``, theirs in place of ours."""
    scenes = {"bare": BARE, **(others or {"ours": OURS, "plain": PLAIN})}
    with tempfile.TemporaryDirectory() as directory:
        environ = _environment(directory)
        size = {name: _size(code, environ) for name, code in scenes.items()}  # this writes the bytecode, too
        costs: Costs = {name: [] for name in scenes}
        for number in range(rounds):
            for name in scenes if number % 2 else reversed(scenes):
                costs[name].append(_cost(scenes[name], environ))
    if others:
        return [compared(f"{name}: import and configuration", costs[name], costs["bare"], None) for name in others]
    note = "; ".join(f"{name}: {modules} modules, {memory / 1024:.0f} MiB" for name, (modules, memory) in size.items())
    return [
        compared("import and configure()", costs["ours"], costs["bare"], 0.6, note=note),
        compared("an interpreter with nothing in it", costs["plain"], costs["bare"], None),
    ]


def _environment(directory: str) -> dict[str, str]:
    """That of the user, but for what changes telemetry or the interpreter, with a directory for bytecode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_", "PYTHON"))}
    root = str(Path(__file__).resolve().parents[2])
    return kept | {"PYTHONPYCACHEPREFIX": directory, "AUMOS_OTEL_STATE_DIR": directory, "PYTHONPATH": root}


def _size(code: str, environ: dict[str, str]) -> tuple[int, int]:
    """Modules, and the most memory in KiB."""
    command = [sys.executable, "-c", code + END, "tell"]
    run = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    modules, memory = map(int, run.stdout.split())
    return modules, memory


def _cost(code: str, environ: dict[str, str]) -> Cost:
    began = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", code + END], environ)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - began
    if status:
        raise ChildProcessError(f"a process of the bench ended with {os.waitstatus_to_exitcode(status)}")
    used = usage.ru_utime + usage.ru_stime
    return Cost(used, used, wall)


if __name__ == "__main__":
    for figure in startup(int(sys.argv[1]) if sys.argv[1:] else 20):
        print(
            f"{figure.what}: {figure.ours} us, bare {figure.bare} us, ratio {figure.value:.3f}"
            f" (min {figure.least:.3f}), wall {figure.wall:.3f}; {figure.note}"
        )
