"""The demo as a command, as far as it needs no service; tests/e2e/test_demo.py runs it whole."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

import aumos_otel.demo
from aumos_otel.demo import run, table
from aumos_otel.demo.recovery import Act
from aumos_otel.errors import MissingExtraError
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.policy import DEMO
from aumos_otel.slo.status import evaluate

BURNED = Act(
    evaluate(
        Objective(name="a", service="s", target=Decimal("0.999"), indicator=Counted("x"), policy=DEMO),
        History.of([(100.0, 54, 57)], step=1),
        100.0,
    )
)


def result(*, arrived: int, burned: Act = BURNED) -> run.Result:
    """Of a demo that sent two traces."""
    return run.Result(
        driven="2 requests",
        seconds=1.23456,
        rows=[table.Row("traces", sent=2, arrived=arrived)],
        cost=0.5,
        prices="2026-11-01",
        page="http://127.0.0.1:4319/?token=t",
        failing_call="/trace/1",
        burned=burned,
    )


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
    assert result(arrived=1).to_dict() == {
        "complete": False,
        "driven": "2 requests",
        "seconds": 1.235,
        "traces": {"sent": 2, "arrived": 1, "lost": 1, "note": ""},
        "cost_usd": 0.5,
        "prices": "2026-11-01",
        "page": "http://127.0.0.1:4319/?token=t",
        "failing_call": "/trace/1",
    }


@pytest.mark.parametrize(
    ("performed", "act", "code"),
    [
        (result(arrived=2), replace(BURNED, recovered_after=15.0), 0),
        (result(arrived=1), replace(BURNED, recovered_after=15.0), 1),
        (result(arrived=2), BURNED, 1),
        (result(arrived=2, burned=Act(None)), Act(None), 1),
    ],
)
def test_the_exit_code(
    performed: run.Result, act: Act, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 only when all arrived, and the objective burned and recovered; the document has both."""
    monkeypatch.setattr(run, "perform", lambda *_: performed)
    monkeypatch.setattr(run, "recover", lambda *_: act)

    assert run.run_demo(exit_after=True, as_json=True) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["complete"], told["slo"]["complete"]) == (performed.rows[0].lost == 0, act.complete)


def test_ctrl_c_before_the_recovery_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has seen the table may leave; the code is the table's."""

    def interrupted(*_: object) -> Act:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "recover", interrupted)
    for arrived, code in ((2, 0), (1, 1)):
        monkeypatch.setattr(run, "perform", lambda *_, arrived=arrived: result(arrived=arrived))
        assert run.run_demo(exit_after=False, as_json=False) == code
