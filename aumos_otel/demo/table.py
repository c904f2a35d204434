"""What was sent beside what arrived: the table that the demo ends with, and the same as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from aumos_otel.local.queries import Totals

#: How the kinds of spans are called in the note.
_KINDS: Final = {"server": "server", "llm": "LLM", "http": "http client", "agent": "agent", "other": "other"}
_WIDTHS: Final = (12, 6, 10, 7)


@dataclass(frozen=True, slots=True)
class Sent:
    """What left, as counted by whoever sent it and never by the backend.

    Attributes:
        requests: by the driver.
        spans: by the service's own ledger.
        logs: same.
        input_tokens: by the model server.
        output_tokens: same.
    """

    requests: int
    spans: int
    logs: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    sent: int
    arrived: int
    note: str = ""

    @property
    def lost(self) -> int:
        """How many are missing; negative when more arrived than were sent."""
        return self.sent - self.arrived


def compare(sent: Sent, arrived: Totals, *, prices: str) -> list[Row]:
    """The lines of the table; ``prices`` is the date of the price table."""
    kinds = arrived.spans_by_thing
    return [
        Row("traces", sent.requests, arrived.traces),
        Row(
            "spans",
            sent.spans,
            arrived.spans,
            " + ".join(f"{kinds[kind]} {_KINDS[kind]}" for kind in _KINDS if kinds[kind]),
        ),
        Row("logs", sent.logs, arrived.logs, f"{arrived.logs_joined} joined to a trace"),
        Row("tokens in", sent.input_tokens, arrived.input_tokens, "as the model server reported"),
        Row("tokens out", sent.output_tokens, arrived.output_tokens, f"cost ${arrived.cost:.4f} (prices {prices})"),
    ]


def complete(rows: list[Row]) -> bool:
    """Whether everything arrived, once."""
    return all(row.lost == 0 for row in rows)


def show(rows: list[Row], console: Console) -> None:
    """Print the table; a line that does not balance is red."""
    table = Table.grid()
    for position, width in enumerate(_WIDTHS):
        table.add_column(min_width=width, no_wrap=True, justify="right" if position else "left")
    table.add_column(no_wrap=True)
    table.add_row("", *(Text(title, style="dim") for title in ("sent", "arrived", "lost")), "")
    for row in rows:
        note = Text(f"   {row.note}", style="dim")
        table.add_row(
            row.name, *map(_grouped, (row.sent, row.arrived, row.lost)), note, style="bold red" if row.lost else ""
        )
    console.print(table, highlight=False)


def as_dict(rows: list[Row]) -> dict[str, Mapping[str, Any]]:
    """The table as plain data, ready for JSON."""
    return {
        row.name.replace(" ", "_"): {"sent": row.sent, "arrived": row.arrived, "lost": row.lost, "note": row.note}
        for row in rows
    }


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", " ")
