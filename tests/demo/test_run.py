"""The demo as a command, as far as it needs no service; tests/e2e/test_demo.py runs it whole."""

from __future__ import annotations

import sys

import pytest

import aumos_otel.demo
from aumos_otel.demo import run, table
from aumos_otel.errors import MissingExtraError


def test_a_missing_extra_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the client that the service needs, the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "openai", None)

    with pytest.raises(MissingExtraError, match=r"aumos-otel\[demo\]"):
        run.run_demo(exit_after=True, as_json=False)


def test_the_package_loads_its_parts_on_use() -> None:
    """The package gives away `run_demo` and nothing else."""
    assert aumos_otel.demo.run_demo is run.run_demo
    with pytest.raises(AttributeError, match="has no attribute 'walk_demo'"):
        aumos_otel.demo.walk_demo  # noqa: B018 - the access is what is tested


def test_the_result_as_data() -> None:
    """As JSON the result says whether it is complete, and where to look."""
    result = run.Result(
        driven="2 requests",
        seconds=1.23456,
        rows=[table.Row("traces", sent=2, arrived=1)],
        cost=0.5,
        prices="2026-11-01",
        page="http://127.0.0.1:4319/?token=t",
        failing_call="/trace/1",
    )

    assert result.to_dict() == {
        "complete": False,
        "driven": "2 requests",
        "seconds": 1.235,
        "traces": {"sent": 2, "arrived": 1, "lost": 1, "note": ""},
        "cost_usd": 0.5,
        "prices": "2026-11-01",
        "page": "http://127.0.0.1:4319/?token=t",
        "failing_call": "/trace/1",
    }
