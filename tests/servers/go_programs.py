"""Servers in Go that tests run: built once per source, kept outside the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


def build(source: Path) -> Path:
    """The program of a folder with a Go module; skips the test where it cannot be built for want of Go or modules."""
    name = source.name
    if shutil.which("go") is None:
        pytest.skip(f"NOT PROVEN with the {name}: this machine has no Go toolchain")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aumos-otel" / "e2e"
    binary = cache / f"{name}-{digest}"
    if not binary.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = binary.with_suffix(f".{os.getpid()}")
        command = ["go", "build", "-mod=readonly", "-o", str(partial), "."]
        built = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
        if "403" in built.stderr or "410 Gone" in built.stderr:
            pytest.skip(f"NOT PROVEN with the {name}: the module proxy refuses a module: {built.stderr[-300:]}")
        assert built.returncode == 0, built.stderr
        partial.rename(binary)
    return binary


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody listens on ``port``."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the program ended"
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError(f"nobody listens on {port}")
