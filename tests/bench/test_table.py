"""A stored run is shown, put on its page, and held against another one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REFERENCE = HERE / "reference.json"
PAGE = HERE.parents[1] / "docs" / "reference" / "performance.md"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command."""
    return subprocess.run([sys.executable, HERE / "table.py", *arguments], capture_output=True, text=True, check=False)


def changed(directory: Path, **changes: float | bool) -> tuple[Path, str]:
    """The stored run with one line changed, numbers by factors, and what the line is about."""
    stored = json.loads(REFERENCE.read_text())
    figure = next(each for each in stored["figures"] if each["reached"] and not each["more"] and not each["unit"])
    for key, change in changes.items():
        figure[key] = change if isinstance(change, bool) else figure[key] * change
    path = directory / "now.json"
    path.write_text(json.dumps(stored))
    return path, figure["what"]


def test_the_page(tmp_path: Path) -> None:
    """The page shows the stored run."""
    copy = tmp_path / "page.md"
    copy.write_text(PAGE.read_text())

    assert run("--stored", REFERENCE, "--page", copy).returncode == 0
    assert copy.read_text() == PAGE.read_text()
    assert "start_as_current_span" in copy.read_text()


def test_the_same_again() -> None:
    """A run is not worse than itself."""
    ran = run("--stored", REFERENCE, "--against", REFERENCE)

    assert ran.returncode == 0, ran.stdout
    assert "worse" not in ran.stdout
    assert "1.00" in ran.stdout


def test_a_regression(tmp_path: Path) -> None:
    """A line that is worse by median and least is named with both figures, and the exit code tells."""
    now, what = changed(tmp_path, value=1.3, least=1.2)

    ran = run("--stored", now, "--against", REFERENCE)

    assert ran.returncode == 1
    assert f"worse: {what}: " in ran.stdout


@pytest.mark.parametrize("changes", [{"value": 1.3, "least": 1.0}, {"value": 1.1, "least": 1.1}, {"value": 0.5}])
def test_no_regression(tmp_path: Path, changes: dict[str, float]) -> None:
    """Noise in the median alone, a little more, and less than before are no regressions."""
    now, _ = changed(tmp_path, **changes)

    assert run("--stored", now, "--against", REFERENCE).returncode == 0


def test_fewer_a_second(tmp_path: Path) -> None:
    """Where more is better, less is worse."""
    stored = json.loads(REFERENCE.read_text())
    figure = next(each for each in stored["figures"] if each["more"])
    figure["value"], figure["least"] = figure["value"] / 2, figure["least"] / 2
    now = tmp_path / "now.json"
    now.write_text(json.dumps(stored))

    ran = run("--stored", now, "--against", REFERENCE)

    assert ran.returncode == 1
    assert f"worse: {figure['what']}" in ran.stdout


def test_a_broken_promise(tmp_path: Path) -> None:
    """What was promised beside the figure, such as that losses are counted, is missed as a figure is."""
    now, what = changed(tmp_path, kept=False)

    ran = run("--stored", now, "--against", REFERENCE)

    assert ran.returncode == 1
    assert f"worse: {what}: " in ran.stdout


def test_a_failure_that_was_stored(tmp_path: Path) -> None:
    """A stored run with a scene that failed is no good run."""
    stored = json.loads(REFERENCE.read_text()) | {"failed": ["span: exit code 3"]}
    now = tmp_path / "now.json"
    now.write_text(json.dumps(stored))

    ran = run("--stored", now)

    assert ran.returncode == 1
    assert "failed: span: exit code 3" in ran.stdout


def test_lines_that_come_and_go(tmp_path: Path) -> None:
    """A line that only one of the runs has is shown, and compared with nothing."""
    stored = json.loads(REFERENCE.read_text())
    gone = stored["figures"].pop(0)
    then = tmp_path / "then.json"
    then.write_text(json.dumps(stored))

    ran = run("--stored", REFERENCE, "--against", then)

    assert ran.returncode == 0, ran.stdout
    assert gone["what"] in ran.stdout
