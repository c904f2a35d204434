"""What docs/support.md says, as far as this machine can tell."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Loads what the standard library itself needs, then takes away what Windows lacks.
WITHOUT_POSIX = """
import asyncio, multiprocessing, os, signal, subprocess, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("chown", "fchmod", "fork", "geteuid", "getpgid", "getuid", "killpg", "register_at_fork", "setsid", "uname"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
"""


def run(code: str) -> str:
    """Output of code in an interpreter that lacks what Windows lacks."""
    command = [sys.executable, "-W", "error", "-c", WITHOUT_POSIX + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_configures_without_posix() -> None:
    """Import, configure, a span and shutdown work where there is no fork, no user id and no SIGUSR1."""
    code = (
        "import aumos_otel as aumos\n"
        "telemetry = aumos.configure(service_name='windows', destinations=[])\n"
        "with aumos.span('work'): pass\n"
        "print(telemetry.status().state)\n"
        "telemetry.shutdown(timeout=5)\n"
    )

    assert run(code) == "ok\n"


def test_discovery_works_without_posix() -> None:
    """Looking for a running local backend works where there is no user id."""
    assert run("from aumos_otel._internal import discovery\nprint(discovery.read())") == "None\n"


def test_support_statement_names_each_python() -> None:
    """Each Python that the metadata promises stands in the support statement."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = [
        line.rpartition(" ")[2] for line in classifiers if line.startswith("Programming Language :: Python :: 3.")
    ]
    page = (ROOT / "docs" / "support.md").read_text()

    assert versions
    assert [version for version in versions if version not in page] == []
