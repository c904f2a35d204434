"""A process that forks within a span: parent and child export what is theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conformance.stage import OURS, STOCK

HERE = Path(__file__).parent


def exported(side: str) -> list[str]:
    """What child and parent exported, in this order."""
    command = [sys.executable, "-W", "ignore", str(HERE / "forked.py"), side]
    done = subprocess.run(command, env={"PYTHONPATH": str(HERE.parent)}, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_span_that_is_open_at_a_fork() -> None:
    """It ends in both processes, each of which exports it through a batch processor of the SDK's, children included."""
    stock, ours = exported(STOCK), exported(OURS)

    assert ours == stock
    assert len(ours) == 2
    assert all("before" in line for line in ours)
