"""The command ``aumos-otel``.  Exit codes: 0 ok, 1 something to look at, 2 failed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from aumos_otel.cli.output import Commands, print_columns
from aumos_otel.cli.slo import slo
from aumos_otel.cli.slo_numbers import backtest, status
from aumos_otel.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aumos-otel")
def main() -> None:
    """OpenTelemetry for AumOS services: a local backend, a demo, and a doctor."""


@main.command()
@click.option("--otlp-port", default=4318, show_default=True, help="Port of the OTLP/HTTP receiver.")
@click.option("--port", "ui_port", default=4319, show_default=True, help="Port of the page.")
@click.option(
    "--db", type=click.Path(dir_okay=False), default=None, help="Database file; by default in the data directory."
)
@click.option("--open/--no-open", "open_browser", default=False, help="Open the page in a browser.")
def ui(otlp_port: int, ui_port: int, db: str | None, *, open_browser: bool) -> None:
    """Run the local backend: OTLP in, a page with traces, LLM calls, logs and metrics out."""
    sys.exit(_local().ui(otlp_port=otlp_port, ui_port=ui_port, db=_path(db), open_browser=open_browser))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def tail(*, as_json: bool) -> None:
    """Print what arrives at the running local backend."""
    sys.exit(_local().tail(as_json=as_json))


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...]) -> None:
    """Run COMMAND pointed at the local backend; starts one when none runs."""
    sys.exit(_local().run(list(command)))


@main.command()
@click.option("--exit", "exit_after", is_flag=True, help="End after the table instead of staying up.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def demo(*, exit_after: bool, as_json: bool) -> None:
    """Run a real service against a model server and show that everything arrived."""
    try:
        from aumos_otel.demo import run_demo
    except ModuleNotFoundError as error:
        raise MissingExtraError("aumos-otel demo", extra="demo", module=str(error.name)) from None
    sys.exit(run_demo(exit_after=exit_after, as_json=as_json))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(*, as_json: bool) -> None:
    """Say who owns the providers, what clashes, and what would be sent where."""
    from aumos_otel.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        print_columns(
            [(finding.grade, finding.subject, finding.seen, finding.remedy) for finding in findings], grade_first=True
        )
    grades = {finding.grade for finding in findings}
    if "fail" in grades and not as_json:
        remedy = next(finding.remedy for finding in findings if finding.grade == "fail")
        click.echo(f"next: {remedy}", err=True)
    sys.exit(2 if "fail" in grades else 1 if "warn" in grades else 0)


@main.command()
@click.option("--tenant", default=None, help="Id of the tenant whose records go.")
@click.option("--user", default=None, help="Id of the user whose records go; with --tenant, only those of that tenant.")
@click.option(
    "--spool", type=click.Path(file_okay=False), default=None, help="Root of the spool; default as configured."
)
@click.option("--db", type=click.Path(dir_okay=False), default=None, help="Database file of the local backend.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(*, tenant: str | None, user: str | None, spool: str | None, db: str | None, as_json: bool, yes: bool) -> None:
    """Remove a tenant's or a user's records from the spool and the local backend; 1 if there were none."""
    from aumos_otel import erasure

    root, database = erasure.places(_path(spool), _path(db))
    if not yes:
        click.confirm(
            f"Erase from {root} and {database or 'no local backend'}? This cannot be undone", abort=True, err=True
        )
    report = erasure.erase(root, tenant, user, database=database, redacted=erasure.hashes())
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        print_columns([(name, str(value)) for name, value in report.counts()])
        for line in report.failed + [f"left alone: {path}" for path in report.unreadable]:
            click.echo(f"error: {line}", err=True)
    if report.exit_code > 1:
        click.echo("next: correct what failed and run it again; delete by hand what was left alone", err=True)
    sys.exit(report.exit_code)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def config(*, as_json: bool) -> None:
    """Show every option as this environment sets it, and where each value comes from."""
    import os

    from aumos_otel import plan
    from aumos_otel.config import explain

    wanted = plan.resolve({}, os.environ)
    rows = explain(wanted.sections(), wanted.sources)
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
        return
    print_columns(
        [("option", "value", "from", "variables")]
        + [(row["option"], str(row["value"]), row["source"], ", ".join(row["variables"])) for row in rows]
    )


slo.add_command(backtest)
slo.add_command(status)
main.add_command(slo)


def _local() -> Any:
    try:
        from aumos_otel.local import commands
    except ModuleNotFoundError as error:
        raise MissingExtraError("the local backend", extra="local", module=str(error.name)) from None
    return commands


def _path(name: str | None) -> Path | None:
    from pathlib import Path

    return Path(name) if name else None
