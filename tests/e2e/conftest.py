"""What the end-to-end tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers.promtool import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder for rules and tests."""
    return Bench(tmp_path)
