from __future__ import annotations

import inspect
import subprocess
import sys
import types

import pytest

import aumos_otel

MAX_NAMES = 28

#: Imported only when first used; `import aumos_otel` stays light without them.
HEAVY = (
    *("anthropic", "asyncio", "fastapi", "google.protobuf", "grpc", "httpx", "jinja2", "langfuse", "litellm", "openai"),
    *("opentelemetry.exporter", "opentelemetry.instrumentation", "opentelemetry.proto", "opentelemetry.sdk"),
    *("prometheus_client", "pydantic", "requests", "rich", "sqlite3", "starlette", "urllib3", "uvicorn", "yaml"),
)

#: What the extras bring.
EXTRAS = (
    *("confluent_kafka", "fastapi", "httpx", "jinja2", "langfuse", "matplotlib", "openai"),
    *("opentelemetry.configuration", "promql_parser", "starlette", "uvicorn", "yaml"),
)

#: What an extra is for: it is imported when it is used, and says then which extra is missing.
NEED_EXTRAS = tuple(
    f"aumos_otel.{name}"
    for name in (
        *("__main__", "demo", "local", "rollout.", "sources.prometheus"),
        *("slo.alerts", "slo.plot", "slo.rulefile", "slo.sloth_names", "slo.yaml_text"),
    )
)

IMPORTED = "import sys; {statement}; print('\\n'.join(sys.modules))"


def loaded_modules(statement: str) -> set[str]:
    """Names of all modules that a fresh interpreter has loaded after a statement."""
    command = [sys.executable, "-c", IMPORTED.format(statement=statement)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def modules_of(statement: str) -> set[str]:
    """Names of the modules that a statement loads; what a coverage run has loaded already does not count."""
    return loaded_modules(statement) - loaded_modules("pass")


def public_names() -> list[str]:
    """What a module defines or has loaded for its users: every name without underscore that is no module."""
    for name in aumos_otel.__all__:
        getattr(aumos_otel, name)
    ours = {"TYPE_CHECKING", "Any", "annotations", "import_module"}
    return [
        name
        for name, value in vars(aumos_otel).items()
        if not name.startswith("_") and name not in ours and not isinstance(value, types.ModuleType)
    ]


def test_all_names_nothing_twice() -> None:
    """`__all__` has no duplicates; that it is sorted is ruff's rule RUF022."""
    assert len(set(aumos_otel.__all__)) == len(aumos_otel.__all__)


def test_all_is_complete() -> None:
    """Every public name that is no module is exported, and every exported name exists."""
    exported = set(aumos_otel.__all__)

    assert set(public_names()) <= exported
    assert [name for name in exported if not hasattr(aumos_otel, name)] == []


def test_surface_is_small() -> None:
    """The top level has at most 28 names."""
    assert len(aumos_otel.__all__) <= MAX_NAMES


@pytest.mark.parametrize("name", aumos_otel.__all__)
def test_each_name_is_documented(name: str) -> None:
    """Each exported function, class and module has a docstring of its own."""
    value = getattr(aumos_otel, name)
    inherited = type(value).__doc__ if not inspect.isclass(value) else getattr(value.__base__, "__doc__", None)

    assert value.__doc__, name
    assert value.__doc__ != inherited, name


def test_import_is_light() -> None:
    """`import aumos_otel` loads no SDK, exporter, instrumentor, web framework or console library."""
    loaded = modules_of("import aumos_otel")

    assert sorted(name for name in loaded if f"{name}.".startswith(tuple(f"{heavy}." for heavy in HEAVY))) == []


def test_import_reads_no_network_and_starts_no_thread() -> None:
    """`import aumos_otel` opens no socket and leaves only the main thread."""
    code = (
        "import socket, threading\n"
        "def refuse(*args, **kwargs): raise SystemExit('a socket was opened')\n"
        "socket.socket.__init__ = refuse\n"
        "import aumos_otel\n"
        "print(threading.active_count())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "1\n"


def test_llm_works_on_the_api_alone() -> None:
    """`import aumos_otel.llm` loads no OpenTelemetry SDK."""
    loaded = modules_of("import aumos_otel.llm")

    assert sorted(name for name in loaded if name.startswith("opentelemetry.sdk")) == []


def test_core_needs_no_extra() -> None:
    """Every module imports where no extra is installed, but for those that are what an extra is for."""
    code = (
        "import importlib, pkgutil, sys\n"
        f"for name in {EXTRAS}: sys.modules[name] = None\n"
        "import aumos_otel\n"
        "for module in pkgutil.walk_packages(aumos_otel.__path__, 'aumos_otel.', onerror=lambda name: None):\n"
        f"    if not module.name.startswith({NEED_EXTRAS}):\n"
        "        importlib.import_module(module.name)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
