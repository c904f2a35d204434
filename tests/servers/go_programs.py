"""Servers that tests run: built by Go, or fetched by Maven, once a source, and kept outside the tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

#: What Go and Maven say when a registry does not give a module: nothing else may skip a test.
REFUSAL = re.compile(
    r"reading https?://\S+: (?:403|404|410)\b"
    r"|authorization failed for https?://|Could not find artifact|was not found in https?://"
)


def build(source: Path) -> Path:
    """The program of a folder with a Go module; skips the test where it cannot be built for want of Go or modules."""
    return cached(source, lambda place: ["go", "build", "-mod=readonly", "-o", str(place), "."])


def programs(source: Path, *packages: str, tags: str = "") -> Path:
    """A folder with the programs ``packages`` of the modules that the go.mod in ``source`` requires; skips like `build`."""
    options = ["-mod=readonly", f"-tags={tags}"]
    return cached(
        source, lambda place: ["go", "build", *options, "-o", f"{place}/", *packages], " ".join(packages) + tags
    )


def jars(source: Path) -> Path:
    """A folder with the dependencies of the pom.xml in ``source``; skips like `build`."""
    goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"  # at the version of the pom.xml
    return cached(source, lambda place: ["mvn", "--batch-mode", "--quiet", goal, f"-DoutputDirectory={place}"])


def cached(source: Path, command: Callable[[Path], list[str]], variant: str = "") -> Path:
    """What a command of the registry's own client makes of ``source``, made when it is not in the cache.

    Args:
        source: a folder of files; its name is that of the result, its content the key.
        command: the command line that writes to the path that it is given; it runs in ``source``.
        variant: what else decides what is made.
    """
    content = b"".join(path.read_bytes() for path in sorted(source.iterdir()))
    digest = hashlib.sha256(content + variant.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aumos-otel" / "e2e"
    place = cache / f"{source.name}-{digest}"
    if place.exists():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # one build after another: each takes all cores and gigabytes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            make(source.name, source, command, place)
    return place


def make(name: str, source: Path, command: Callable[[Path], list[str]], place: Path) -> None:
    """Run the command; ``place`` appears when it has succeeded."""
    partial = place.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.unlink(missing_ok=True)
    arguments = command(partial)
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"NOT PROVEN {name}: this machine has no {arguments[0]}")
    built = subprocess.run(arguments, cwd=source, capture_output=True, text=True, check=False)
    said = re.sub(r"\x1b\[\d*m", "", built.stdout + built.stderr)  # Maven resets colours that it does not use
    if built.returncode != 0 and (refused := REFUSAL.search(said)):
        line = said[said.rfind("\n", 0, refused.start()) + 1 :].partition("\n")[0]
        pytest.skip(f"NOT PROVEN {name}: a registry refuses a module: {line.strip()}")
    assert built.returncode == 0, said
    partial.rename(place)


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
