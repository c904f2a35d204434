"""What commands print: typed errors as one line and a ``next:`` line, and tables that can be piped into grep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from aumos_otel.errors import AumosOtelError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLOURS: Final = {
    **dict.fromkeys(("ok", "keep", "create"), "green"),
    **dict.fromkeys(("warn", "warning", "unknown", "update"), "yellow"),
    **dict.fromkeys(("fail", "error", "critical", "delete"), "red"),
}


class Commands(click.Group):
    """Typed errors become one line and a ``next:`` line; the exit code is 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except AumosOtelError as error:
            click.echo(f"error: {error}", err=True)
            click.echo(f"next: {getattr(error, 'remedy', 'see aumos-otel --help')}", err=True)
            ctx.exit(2)


def print_columns(rows: Sequence[tuple[str, ...]], *, grade_first: bool = False) -> None:
    """One line a row, columns aligned, nothing cut or wrapped: it can be piped into grep."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if grade_first:
            cells[0] = click.style(cells[0], fg=_COLOURS.get(row[0]))
        click.echo("  ".join(cells).rstrip())
