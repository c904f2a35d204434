"""A server in a process of its own: started, awaited, ended and always reaped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final, Self

from aumos_otel.errors import AumosOtelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST: Final = "127.0.0.1"
#: Seconds between two looks at a process that starts.
_LOOK: Final = 0.05
_LOG_LINES: Final = 15
_FOREIGN: Final = ("OTEL_", "AUMOS_", "OPENAI_")


class DemoError(AumosOtelError):
    """The demo cannot go on.

    Attributes:
        remedy: what to do next, in words.
    """

    def __init__(self, message: str, *, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(message)


def clean_environ(**added: str) -> dict[str, str]:
    """This process's environment without what would redirect the demo: telemetry and client variables, proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
    }
    return kept | added


class ServerProcess:
    """A command that listens on a loopback port; leaving the block ends it and all that it started.

    Args:
        command: what to run; it must listen on ``port``.
        port: where it will listen.
        environ: its environment variables.
        directory: its working directory; what it prints goes to ``server.log`` there.
    """

    def __init__(self, command: Sequence[str], port: int, *, environ: Mapping[str, str], directory: Path) -> None:
        self.command = command
        self.port = port
        self.environ = environ
        self.directory = directory
        self.url = f"http://{HOST}:{port}"
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                self.command,
                env=self.environ,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we end it in order
            )
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            RuntimeError: it does not run.
        """
        return self._running().pid

    def wait_until_listening(self, timeout: float = 30.0) -> None:
        """Return as soon as the port takes connections.

        Raises:
            DemoError: the command ended, or does not listen after ``timeout`` seconds; with the end of its log.
        """
        process, deadline = self._running(), time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection((HOST, self.port), timeout=1.0).close()
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(_LOOK)
                raise self._failure(f"ended with code {code} before it listened")
        raise self._failure(f"does not listen on port {self.port} after {timeout:g} s")

    def stop(self, timeout: float = 15.0) -> int:
        """Ask it to end and wait; returns its exit code (negative: the signal that ended it).

        Raises:
            DemoError: it did not end within ``timeout`` seconds.
        """
        process = self._running()
        process.terminate()
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self._failure(f"did not end within {timeout:g} s after SIGTERM") from None

    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server does not run: use it as a context manager")
        return self._process

    def _failure(self, what: str) -> DemoError:
        end = "\n".join(self.log().splitlines()[-_LOG_LINES:])
        return DemoError(f"{' '.join(self.command)} {what}; it printed:\n{end}", remedy="run aumos-otel doctor")
