"""The table that the demo ends with."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from aumos_otel.demo import table
from aumos_otel.local import Totals

SENT = table.Sent(requests=60, spans=177, logs=117, input_tokens=8412, output_tokens=3977)


def arrived(*, spans: int = 177) -> Totals:
    """What the backend says when nothing is missing, or some spans are."""
    kinds = {"server": 60, "llm": 57, "agent": 0, "http": spans - 117, "other": 0}
    return Totals(
        traces=60,
        spans=spans,
        spans_by_thing=kinds,
        logs=117,
        logs_joined=117,
        metric_points=9,
        input_tokens=8412,
        output_tokens=3977,
        cost=0.01234,
    )


def shown(rows: list[table.Row], **options: object) -> str:
    """The table as a terminal shows it."""
    console = Console(file=io.StringIO(), width=80, **options)
    table.show(rows, console)
    return console.file.getvalue()


def test_it_has_the_agreed_shape() -> None:
    """Sent, arrived and lost stand in columns, with a note on what the numbers are made of."""
    rows = table.compare(SENT, arrived(), prices="2026-11-01")

    assert [line.rstrip() for line in shown(rows).splitlines()] == [
        "              sent   arrived   lost",
        "traces          60        60      0",
        "spans          177       177      0   60 server + 57 LLM + 60 http client",
        "logs           117       117      0   117 joined to a trace",
        "tokens in    8 412     8 412      0   as the model server reported",
        "tokens out   3 977     3 977      0   cost $0.0123 (prices 2026-11-01)",
    ]
    assert table.complete(rows)


@pytest.mark.parametrize(("spans", "lost"), [(170, 7), (180, -3)])
def test_what_does_not_balance_is_red(spans: int, lost: int) -> None:
    """A row with fewer or more than were sent is not complete, and it alone is red."""
    rows = table.compare(SENT, arrived(spans=spans), prices="2026-11-01")

    red = [
        line for line in shown(rows, force_terminal=True, color_system="standard").splitlines() if "\x1b[1;31m" in line
    ]
    assert [row.lost for row in rows] == [0, lost, 0, 0, 0]
    assert not table.complete(rows)
    assert len(red) == 1
    assert "spans" in red[0]


def test_as_data() -> None:
    """As JSON each row has its counts and its note, under a name without blanks."""
    data = table.as_dict(table.compare(SENT, arrived(), prices="2026-11-01"))

    assert list(data) == ["traces", "spans", "logs", "tokens_in", "tokens_out"]
    assert data["tokens_in"] == {"sent": 8412, "arrived": 8412, "lost": 0, "note": "as the model server reported"}
