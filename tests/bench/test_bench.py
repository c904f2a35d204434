"""Every bench runs and prints figures; ``pytest -m bench tests/bench``.  What they cost, `table.py` prints."""

from __future__ import annotations

import json
import math
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
TABLE = HERE / "table.py"
SCENES = runpy.run_path(str(TABLE))["SCENES"]

#: The SDK itself as somebody's package.
PEER = """
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
NAME, START, provider = "other", "import opentelemetry.sdk.trace", TracerProvider(shutdown_on_exit=False)
tracer, flush = provider.get_tracer("other"), provider.force_flush
decorate = span = tracer.start_as_current_span
def configure(exporter, *, sampled):
    provider.add_span_processor(BatchSpanProcessor(exporter))
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What a Python process does."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def figures(tmp_path: Path, *arguments: str | Path) -> list[dict]:
    """What a quick run of the table stores."""
    stored = tmp_path / "run.json"
    ran = run(TABLE, "--quick", "--save", stored, *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(stored.read_text())["figures"]


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene(tmp_path: Path, scene: str) -> None:
    """A scene has lines with a goal or without, each with numbers that a cost can have."""
    # Peers that happen to be installed are left out by naming one that is not asked for in any scene but four.
    found = [
        each for each in figures(tmp_path, "--only", scene, "--peer", peer(tmp_path)) if "other" not in each["what"]
    ]

    assert found
    for figure in found:
        assert math.isfinite(figure["value"])
        assert figure["least"] > 0
        assert figure["ours"]
        assert figure["kept"], figure
    assert scene == "llm-unsampled" or any(figure["goal"] for figure in found)


def test_a_peer(tmp_path: Path) -> None:
    """An adapter's package gets its lines beside ours, and a goal for none of them."""
    found = figures(tmp_path, "--only", "span", "unsampled", "raising", "start", "--peer", peer(tmp_path))

    lines = [figure for figure in found if figure["what"].startswith("other: ")]
    assert {figure["scene"] for figure in lines} == {"span", "unsampled", "raising", "start"}
    assert all(figure["goal"] is None for figure in lines)


def test_a_failing_scene(tmp_path: Path) -> None:
    """A scene that cannot be measured is told, with its error, beside the others."""
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")

    ran = run(TABLE, "--quick", "--only", "span", "--peer", tmp_path / "broken.py")

    assert ran.returncode == 1
    assert "failed: span" in ran.stdout
    assert "nothing_of_this_name" in ran.stdout
    assert "start_as_current_span" in ran.stdout


@pytest.mark.parametrize("script", ["stages", "encoding", "redaction", "spool", "tail", "sli", "metrics", "web"])
def test_a_script(script: str) -> None:
    """What has more to tell than lines of the table prints it by itself."""
    ran = run(HERE / f"{script}.py")

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
    print(f"\n{script}\n{ran.stdout}")


def peer(directory: Path) -> Path:
    """An adapter."""
    path = directory / "adapter.py"
    path.write_text(PEER)
    return path
