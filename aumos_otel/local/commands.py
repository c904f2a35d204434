"""The commands of the local backend: ``ui``, ``tail`` and ``run``.  Each returns its exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from aumos_otel._internal import discovery
from aumos_otel.errors import LocalBackendError
from aumos_otel.local.server import LocalServer
from aumos_otel.local.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
#: How often `ui` looks whether its servers still run, and `tail` whether something arrived, in seconds.
_WATCH: Final = 1.0
_POLL: Final = 0.3
_SIGNAL_EXIT: Final = 128
#: These come before the variables that `run` sets, and would lead the child elsewhere.
_STRONGER: Final = (
    "AUMOS_OTEL__ENDPOINT",
    "AUMOS_OTEL_PROTOCOL",
    *(f"OTEL_EXPORTER_OTLP_{signal_}_{what}" for signal_ in ("TRACES", "METRICS", "LOGS") for what in ("ENDPOINT", "PROTOCOL")),
)  # fmt: skip
_PROXIES: Final = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def ui(*, otlp_port: int, ui_port: int, db: Path | None, open_browser: bool) -> int:
    """Run the backend until a signal ends it.

    Raises:
        LocalBackendError: the database or the ports cannot be had, or the servers ended by themselves.
    """
    with _until_signaled() as stop, LocalServer(db, otlp_port, ui_port) as server:
        _say(f"page  {server.ui_url}")
        _say(f"OTLP  {server.otlp_url}  (http/protobuf, http/json)")
        _say(f"data  {server.store.path}")
        for note in server.notes:
            _say(f"note  {note}")
        _say("Ctrl-C stops")
        if open_browser:
            import webbrowser  # noqa: PLC0415 - loaded when asked for

            webbrowser.open(server.ui_url)
        while not stop.wait(_WATCH):
            if not server.running:
                raise LocalBackendError(
                    "local backend",
                    seen="servers that ended",
                    expected="servers that run until Ctrl-C",
                    remedy="look at the log of 'aumos_otel.local', then start it again",
                )
    return 0


def tail(*, as_json: bool) -> int:
    """Print what arrives at the running backend, until a signal ends it.

    Raises:
        LocalBackendError: no backend runs, or it ended.
    """
    backend = discovery.read()
    if backend is None:
        raise LocalBackendError(
            "aumos-otel tail",
            seen="no running local backend",
            expected=f"one that is named in {discovery.state_path()}",
            remedy="run: aumos-otel ui",
        )
    follower = Tail(backend, as_json=as_json)
    try:
        with _until_signaled() as stop:
            while not stop.wait(0 if follower.step() else _POLL):
                pass
    except BrokenPipeError:  # `tail | head`: enough was read; what is still buffered must not fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run(command: list[str]) -> int:
    """Run ``command`` with its telemetry pointed at the running backend, or at one that lives as long as it.

    Returns:
        The command's exit code; 128 and the signal's number if a signal ended it.

    Raises:
        LocalBackendError: the command cannot be started, or no backend can.
    """
    with contextlib.ExitStack() as stack:
        backend = discovery.read()
        if backend is None:
            server = stack.enter_context(LocalServer())
            endpoint = server.otlp_url
            for note in server.notes:
                _say(f"aumos-otel: {note}", stderr=True)
            _say(f"aumos-otel: telemetry is shown at {server.ui_url}", stderr=True)
            stack.callback(_say, "aumos-otel: the telemetry is kept; see it again with: aumos-otel ui", stderr=True)
        else:
            endpoint = backend.otlp
            _say(f"aumos-otel: telemetry is shown at {backend.ui}/?token={backend.token}", stderr=True)
        return _run_child(command, child_environment(os.environ, endpoint))


def child_environment(environment: Mapping[str, str], endpoint: str) -> dict[str, str]:
    """``environment`` with every OpenTelemetry SDK pointed at ``endpoint`` over http/protobuf.

    >>> from aumos_otel.local.commands import child_environment
    >>> child = child_environment({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://apm.example"}, "http://127.0.0.1:4318")
    >>> sorted(child)
    ['AUMOS_OTEL_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_PROTOCOL']
    """
    child = {name: value for name, value in environment.items() if name not in _STRONGER}
    child |= {
        "AUMOS_OTEL_ENDPOINT": endpoint,  # stronger than a file named in OTEL_CONFIG_FILE
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    if any(child.get(name) for name in _PROXIES):  # a proxy cannot reach this machine's loopback
        spared = child.get("no_proxy") or child.get("NO_PROXY") or ""
        spared = ",".join(filter(None, [spared, "127.0.0.1"]))
        child |= {"no_proxy": spared, "NO_PROXY": spared}
    return child


def _run_child(command: list[str], environment: dict[str, str]) -> int:
    children: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _: Any) -> None:
        # Ctrl-C reaches the child from the terminal already; a second one would mean "at once" to many programs.
        if children and not (number == signal.SIGINT and _in_foreground()):
            children[0].send_signal(number)

    with _handling_signals(forward):
        try:
            children.append(subprocess.Popen(command, env=environment))  # noqa: S603 - running it is what was asked
        except OSError as error:
            raise LocalBackendError(
                "aumos-otel run",
                seen=f"{command[0]}: {error.strerror}",
                expected="a program that can be started",
                remedy="check the name after --, and the PATH",
            ) from error
        code = children[0].wait()
    return code if code >= 0 else _SIGNAL_EXIT - code


def _in_foreground() -> bool:
    """Whether a terminal sends its keys' signals to this process's group."""
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]  # None is caught
    except (OSError, ValueError, AttributeError):
        return False


@contextlib.contextmanager
def _until_signaled() -> Iterator[threading.Event]:
    stop = threading.Event()
    with _handling_signals(lambda _number, _frame: stop.set()):
        yield stop


@contextlib.contextmanager
def _handling_signals(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Let ``handler`` have the signals that end programs; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _say(text: str, *, stderr: bool = False) -> None:
    Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False).print(text)
