"""Running a scenario on one side in a process of its own, against a receiver in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds after which a scenario counts as hanging.
PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one side did in one row: in words, and whether nothing was lost, wrong or late."""

    text: str
    good: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario that has ended: what it reported, its exit code, its stderr."""

    report: dict[str, Any]
    code: int
    stderr: str


class Process:
    """A scenario that runs; it reports by printing lines of JSON, the last of which is its report."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.since = time.monotonic()

    def wait_for_line(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self.popen.stdout is not None  # noqa: S101 - it was opened with a pipe
        line = self.popen.stdout.readline()
        self.since = time.monotonic()
        return dict(json.loads(line))

    def end(self) -> Run:
        """Wait for the end; `since` is then the seconds from the last line to it."""
        out, err = self.popen.communicate(timeout=PATIENCE)
        self.since = time.monotonic() - self.since
        lines = out.splitlines()
        return Run(json.loads(lines[-1]) if lines else {}, self.popen.returncode, err)


@dataclass(frozen=True, slots=True)
class Lab:
    """Where one side is measured: its name, and the interpreter that has it installed."""

    side: str
    python: Path

    @contextmanager
    def started(self, scenario: str, endpoint: str, **environment: str) -> Iterator[Process]:
        """Start ``module:function`` on this side; what is left of it is killed at the end of the block."""
        clean = {name: text for name, text in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_"))}
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "compared"}
        command = [str(self.python), str(Path(__file__).parent), "--side", self.side, "--scenario", scenario]
        with subprocess.Popen(  # noqa: S603 - our own scripts
            command,
            env={**clean, **settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as popen:
            try:
                yield Process(popen)
            finally:
                if popen.poll() is None:
                    popen.kill()

    def run(self, scenario: str, endpoint: str, **environment: str) -> Run:
        """Run a scenario to its end.

        Raises:
            RuntimeError: it failed; the message has its stderr.
        """
        with self.started(scenario, endpoint, **environment) as process:
            ran = process.end()
        if ran.code:
            raise RuntimeError(f"{scenario} on {self.side}: exit code {ran.code}\n{ran.stderr[-2000:]}")
        return ran


def say(**report: Any) -> None:
    """Report from a scenario: one line of JSON."""
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
