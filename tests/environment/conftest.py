"""What the tests of the environment variables share: a collector, a memory for spans, a made-up distribution."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util import _importlib_metadata
from servers.otlp import GRPCSink, HTTPSink, Sink

from aumos_otel import testing

_numbers = itertools.count(1)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPSink]:
    """A collector that OTEL_EXPORTER_OTLP_ENDPOINT names; the pipeline is taken down before it."""
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink
        sink.answering.set()
        testing.reset()


@pytest.fixture
def any_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Sink]]:
    """Starts a collector that speaks the given protocol, and names it and the protocol in the variables."""
    with contextlib.ExitStack() as stack:

        def start(protocol: str) -> Sink:
            sink = stack.enter_context(GRPCSink() if protocol == "grpc" else HTTPSink())
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            return sink

        yield start
        testing.reset()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """A memory for finished spans."""
    return InMemorySpanExporter()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Installs a distribution for one test: a module with the given code, and its entry points.

    Each entry point is passed as ``group="name = attribute"``; the directory is returned.
    """
    modules = []

    def install(code: str, **entry_points: str) -> Path:
        module = f"plugin_{next(_numbers)}"
        modules.append(module)
        directory = tmp_path / module
        metadata = directory / f"{module}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (directory / f"{module}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = []
        for group, declaration in entry_points.items():
            name, _, attribute = declaration.partition(" = ")
            lines += [f"[{group}]", f"{name} = {module}:{attribute}"]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(directory))
        _importlib_metadata._original_entry_points_cached.cache_clear()
        return directory

    yield install
    for module in modules:
        sys.modules.pop(module, None)
    _importlib_metadata._original_entry_points_cached.cache_clear()
