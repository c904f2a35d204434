"""The side-by-side measurement runs, and says what it found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent / "tools" / "compare"


def test_one_row_of_two_sides() -> None:
    """A chosen row is measured on the chosen sides and printed; the page is left alone."""
    page = TOOL.parents[1] / "docs" / "reliability.md"
    before = page.read_bytes()
    command = [sys.executable, str(TOOL), "--rows", "4", "--sides", "stock", "ours"]

    ran = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert "| ✗ claims 10, taken 0 | ✓ claims 0, taken 0 |" in ran.stdout
    assert page.read_bytes() == before
