"""What a decorated call, an import and a configure() cost beside the bare SDK; prints, asserts nothing about time.

`nox -s bench` runs it.  Everything is measured in processes of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
START_ROUNDS = 12
MODES = {"sampled": "a sampled span", "unsampled": "an unsampled span", "disabled": "no SDK, or enabled=False"}

#: The SDK set up by hand: three signals over OTLP/HTTP, as its documentation shows.
BARE = """
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
tracers, loggers = TracerProvider(), LoggerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
trace.set_tracer_provider(tracers)
_logs.set_logger_provider(loggers)
metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
"""
STARTS = {
    "python -c pass": "",
    "bare SDK, three signals over OTLP/HTTP": BARE,
    "import aumos_otel": "import aumos_otel",
    "import + configure(instrumentations=False)": (
        "import aumos_otel; aumos_otel.configure(service_name='bench', instrumentations=False)"
    ),
    "import + configure()": "import aumos_otel; aumos_otel.configure(service_name='bench')",
}
LOGFIRE = {
    "import logfire": "import logfire",
    "import + logfire.configure()": (
        "import logfire; logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)"
    ),
}
#: Ends at once: what leaving costs is another question.
TELL = (
    "\nimport json, os, sys, time; print(json.dumps([time.process_time(), len(sys.modules)]), flush=True); os._exit(0)"
)


def has_logfire() -> bool:
    """Whether the peer is installed beside us."""
    return importlib.util.find_spec("logfire") is not None


def run(*arguments: str) -> str:
    """What a Python process prints."""
    # Without bytecode a start would be a compilation, as no installed package's is.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def note_missing_peer(console: Console) -> None:
    """Say why the peer's lines are not there."""
    if not has_logfire():
        console.print("logfire is not installed here: pip install logfire, and run it again to compare")


def test_a_call() -> None:
    """A decorated call beside start_as_current_span: the same batch processor, an exporter that does nothing."""
    table = Table("call", "CPU us", "x bare", "wall us", "x bare", title="one call, medians of interleaved rounds")
    for mode, title in MODES.items():
        table.add_section()
        results = json.loads(run(str(HERE / "calls.py"), "ours", mode))
        if has_logfire() and mode != "disabled":
            results |= {
                k: v for k, v in json.loads(run(str(HERE / "calls.py"), "logfire", mode)).items() if k != "bare"
            }
        for name, figures in results.items():
            values = (figures[key] for key in ("cpu_us", "cpu_ratio", "wall_us", "wall_ratio"))
            table.add_row(f"{title}: {name}", *(f"{value:.2f}" for value in values))
    console = Console(width=110)
    console.print(table)
    note_missing_peer(console)


def test_a_start() -> None:
    """Importing and configuring beside the SDK set up by hand; each start is a process of its own."""
    scripts = STARTS | (LOGFIRE if has_logfire() else {})
    cpu: dict[str, list[float]] = {name: [] for name in scripts}
    wall: dict[str, list[float]] = {name: [] for name in scripts}
    modules: dict[str, int] = {}
    for script in scripts.values():
        run("-c", script + TELL)
    for _ in range(START_ROUNDS):
        for name, script in scripts.items():
            started = time.perf_counter()
            seconds, modules[name] = json.loads(run("-c", script + TELL))
            wall[name].append((time.perf_counter() - started) * 1000)
            cpu[name].append(seconds * 1000)
    empty, bare, *_ = scripts
    table = Table("start", "CPU ms", "over pass", "x bare", "wall ms", "modules", title="import and set-up, medians")
    for name in scripts:
        over = [a - b for a, b in zip(cpu[name], cpu[empty], strict=True)]
        bare_over = [a - b for a, b in zip(cpu[bare], cpu[empty], strict=True)]
        ratio = statistics.median(a / b for a, b in zip(over, bare_over, strict=True))
        figures = (statistics.median(cpu[name]), statistics.median(over), ratio, statistics.median(wall[name]))
        table.add_row(name, *(f"{figure:.2f}" for figure in figures), str(modules[name]))
    console = Console(width=110)
    console.print(table)
    note_missing_peer(console)


@pytest.mark.parametrize("script", ["stages", "encoding", "redaction", "spool", "tail", "sli"])
def test_the_parts_of_delivery(script: str) -> None:
    """What each stage of delivery costs; the scripts can be run by themselves too."""
    printed = run(str(HERE / f"{script}.py"))

    assert printed.strip()
    print(f"\n{script}\n{printed}")
