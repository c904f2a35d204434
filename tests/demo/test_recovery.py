"""What the demo says of its objective; tests/e2e/test_demo.py lets it burn and recover."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aumos_otel import definitions
from aumos_otel.demo import recovery
from aumos_otel.demo.recovery import Act, Watcher
from aumos_otel.local import Store
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.policy import DEMO
from aumos_otel.slo.status import evaluate

AVAILABLE = Objective(
    name="chat-available", service="chat-api", target=Decimal("0.999"), indicator=Counted("x"), policy=DEMO
)


def act(bad: int) -> Act:
    """After 57 requests within one second."""
    return Act(evaluate(AVAILABLE, History.of([(100.0, 57 - bad, 57)], step=1), 100.0))


def test_the_line() -> None:
    """It says how many were good, how fast it burned, that time is scaled, and how long it took to be well again."""
    burned = act(3)
    start = "SLO chat-available 99.9%  54/57 good  burn 52.6x  BURNING (policy demo, time-scaled: 3s/15s) -> "
    assert str(replace(burned, recovered_after=15.4)) == f"{start}recovered after 15 s"
    assert str(burned) == f"{start}did not recover"
    assert str(act(0)).endswith("burn 0.0x  OK (policy demo, time-scaled: 3s/15s)")
    assert str(Act(None)) == "SLO chat-api/chat-available  no data"


def test_only_an_objective_that_burned_and_recovered_is_complete() -> None:
    """One that never burned shows nothing, and neither does one that stays so."""
    assert [replace(act(bad), recovered_after=after).complete for bad, after in ((3, 15.0), (3, None), (0, 15.0))] == [
        True,
        False,
        False,
    ]
    assert not Act(None).complete
    assert replace(act(3), recovered_after=15.0).to_dict()["complete"] is True


def test_an_objective_that_nobody_told_of_has_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no metrics arrive the demo goes on without, after a while."""
    monkeypatch.setattr(recovery, "_ARRIVAL", 0.0)
    with Store(tmp_path / "empty.db") as store:
        watcher = Watcher(store)
        nothing = watcher.burned()
        assert nothing == Act(None)
        assert watcher.recover(nothing, "http://127.0.0.1:9") == nothing


def test_the_definitions_of_the_demo() -> None:
    """The file in the package defines both objectives by the policy of the demo."""
    path = Path(recovery.__file__).with_name("slo.yaml")
    found = {each.name: each for each in definitions.load_file(path).definitions.objectives}
    assert set(found) == {"chat-available", "first-token-fast"}
    assert {each.policy for each in found.values()} == {DEMO}
