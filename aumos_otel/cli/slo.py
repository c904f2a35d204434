"""``aumos-otel slo``: objectives as files, from the first check to what burns now.

Exit codes: 0 nothing to say, 1 something found (a warning, a change, a burning objective), 2 failed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aumos_otel.cli.output import Commands, print_columns
from aumos_otel.errors import MissingExtraError

if TYPE_CHECKING:
    from aumos_otel.rollout.plan import Change
    from aumos_otel.slo.history import History
    from aumos_otel.slo.objective import Definitions, Objective

_DAY: Final = 86_400
_FILES: Final = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_OWNER: Final = click.option(
    "--owner", default="aumos-otel", show_default=True, help="Mark of the rules; only its own are ever changed."
)
_NAMES: Final = click.option(
    "--names",
    type=click.Choice(["aumos", "sloth"]),
    default="aumos",
    show_default=True,
    help="Also write sloth's series.",
)
_FROM: Final = click.option(
    "--from",
    "source",
    default="http://127.0.0.1:9090",
    show_default=True,
    help="Prometheus, or a file of counts (CSV, JSON lines, OpenMetrics).",
)
_NAME: Final = click.option("--slo", "name", default=None, help="Only this objective.")


@click.group(cls=Commands)
def slo() -> None:
    """Objectives: check them, compile them to Prometheus rules, replay them, ask what burns."""


@slo.command()
@_FILES
@click.option("--events-per-minute", type=float, default=None, help="Traffic to expect, for the checks that need it.")
@_JSON
def lint(*, files: tuple[str, ...], events_per_minute: float | None, as_json: bool) -> None:
    """Say what in FILES cannot work or will surprise, with the arithmetic."""
    from aumos_otel.slo.lint import lint as check

    findings = [
        (path, finding)
        for path, defined in _load(files)
        for finding in check(defined, events_per_minute=events_per_minute)
    ]
    if as_json:
        click.echo(json.dumps([{"file": path, **finding.to_dict()} for path, finding in findings], indent=2))
    elif findings:
        print_columns(
            [
                (
                    finding.grade,
                    f"{path}:{finding.line}",
                    finding.objective,
                    finding.rule,
                    f"{finding.text}; {finding.remedy}",
                )
                for path, finding in findings
            ],
            grade_first=True,
        )
    grades = {finding.grade for _, finding in findings}
    sys.exit(2 if "error" in grades else 1 if grades else 0)


@slo.command(name="compile")
@_FILES
@click.option("-o", "--output", type=click.Path(file_okay=False), default=None, help="Directory; default: stdout.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["rules", "crd"]),
    default="rules",
    show_default=True,
    help="Rule files or PrometheusRule.",
)
@click.option("--namespace", default=None, help="Of the PrometheusRule.")
@_OWNER
@_NAMES
def compile_(
    *, files: tuple[str, ...], output: str | None, form: str, namespace: str | None, owner: str, names: str
) -> None:
    """Write FILES as Prometheus rules; the same input gives the same bytes."""
    from aumos_otel.rollout import desired
    from aumos_otel.slo import rulefile

    loaded = [definitions for _, definitions in _load(files)]
    if form == "crd":
        documents = desired.resources(loaded, owner, names)
        if namespace:
            for document in documents.values():
                document["metadata"]["namespace"] = namespace
        contents = {f"{name}.yaml": content for name, content in documents.items()}
    else:
        contents = dict(desired.files(loaded, owner, names))
    if output is None:
        click.echo("---\n".join(rulefile.dump(content) for content in contents.values()), nl=False)
        return
    directory = Path(output)
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (directory / name).write_text(rulefile.dump(content), encoding="utf-8")
        click.echo(str(directory / name))


_TO: Final = click.option("--to", "target", required=True, help="files:DIR, mimir:URL, k8s:NAMESPACE or server:URL.")
_TENANT: Final = click.option("--tenant", default=None, help="Sent as X-Scope-OrgID.")
_RELOAD: Final = click.option("--reload", default=None, help="URL of the Prometheus that reads the directory.")


@slo.command()
@_FILES
@_TO
@_TENANT
@_OWNER
@_NAMES
@_JSON
def plan(*, files: tuple[str, ...], target: str, tenant: str | None, owner: str, names: str, as_json: bool) -> None:
    """Show what apply would change; 1 when there is anything, and what somebody else has edited."""
    wanted = _changes(files, target=target, tenant=tenant, owner=owner, names=names, reload=None)[1]
    _show(wanted, as_json=as_json)
    sys.exit(1 if any(change.action != "keep" for change in wanted) else 0)


@slo.command()
@_FILES
@_TO
@_TENANT
@_RELOAD
@_OWNER
@_NAMES
@_JSON
def apply(
    *,
    files: tuple[str, ...],
    target: str,
    tenant: str | None,
    reload: str | None,
    owner: str,
    names: str,
    as_json: bool,
) -> None:
    """Make the target run what FILES say; nothing that is not this owner's is touched."""
    from aumos_otel.rollout.plan import apply as make

    place, wanted = _changes(files, target=target, tenant=tenant, owner=owner, names=names, reload=reload)
    made = make(place, wanted)
    _show(made, as_json=as_json)
    if not as_json:
        click.echo(f"{len(made)} changed, {len(wanted) - len(made)} as they were, at {place.address}")


@slo.command()
@_FILES
@_FROM
@_NAME
@_TENANT
@_JSON
def status(*, files: tuple[str, ...], source: str, name: str | None, tenant: str | None, as_json: bool) -> None:
    """Say what burns now; 1 when something does, or is not known."""
    from aumos_otel.slo.status import evaluate

    found = []
    for objective, defined in _objectives(files, name):
        place = _source(source, defined, tenant)
        at = place.now()
        found.append(evaluate(objective, place.history(objective, _beginning(objective, at), at), at))
    if as_json:
        click.echo(json.dumps([evaluation.to_dict() for evaluation in found], indent=2))
    else:
        from aumos_otel.slo.report import status_lines

        print_columns(status_lines(found), grade_first=True)
    sys.exit(1 if any(evaluation.state != "ok" for evaluation in found) else 0)


@slo.command()
@_FILES
@_FROM
@_NAME
@_TENANT
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="Of history."
)
@click.option("--plot", type=click.Path(dir_okay=False), default=None, help="Picture to write: .svg or .png.")
@_JSON
def backtest(
    *,
    files: tuple[str, ...],
    source: str,
    name: str | None,
    tenant: str | None,
    days: float,
    plot: str | None,
    as_json: bool,
) -> None:
    """Replay history: which alerts each policy would have fired, how soon, and what it is blind to."""
    from aumos_otel.slo import backtest as engine
    from aumos_otel.slo import report

    results = []
    for objective, defined in _objectives(files, name):
        place = _source(source, defined, tenant)
        end = place.now()
        history = place.history(objective, end - days * _DAY, end)
        result = engine.backtest(objective, history)
        results.append(result)
        if plot is not None:
            _draw(result, history, _plot_path(plot, objective, len(_objectives(files, name))))
        if not as_json:
            click.echo(f"{objective.service}/{objective.name}")
            print_columns(report.policies(result))
            click.echo()
            print_columns(report.incidents(result))
    if as_json:
        click.echo(json.dumps([result.to_dict() for result in results], indent=2))


@slo.command(name="import")
@_FILES
def import_(files: tuple[str, ...]) -> None:
    """Read OpenSLO, sloth or pyrra files and print them as slo.yaml."""
    _export(files, "aumos")


@slo.command()
@_FILES
@click.option(
    "--format", "form", type=click.Choice(["openslo", "sloth", "pyrra", "aumos"]), default="openslo", show_default=True
)
def export(files: tuple[str, ...], form: str) -> None:
    """Print FILES in another format."""
    _export(files, form)


def _export(files: tuple[str, ...], form: str) -> None:
    from aumos_otel.slo import formats

    texts = [formats.write(definitions, form) for _, definitions in _load(files)]
    click.echo("---\n".join(texts), nl=False)


def _load(files: tuple[str, ...]) -> list[tuple[str, Definitions]]:
    from aumos_otel import definitions

    return list(zip(files, definitions.load(files), strict=True))


def _objectives(files: tuple[str, ...], name: str | None) -> list[tuple[Objective, Definitions]]:
    found = [
        (objective, defined)
        for _, defined in _load(files)
        for objective in defined.objectives
        if name in {None, objective.name}
    ]
    if not found:
        raise click.BadParameter(f"no objective {name!r} in these files", param_hint="--slo")
    return found


def _changes(
    files: tuple[str, ...], *, target: str, tenant: str | None, owner: str, names: str, reload: str | None
) -> tuple[Any, list[Change]]:
    try:
        from aumos_otel.rollout import desired
        from aumos_otel.rollout.plan import changes
    except ModuleNotFoundError as error:
        raise MissingExtraError("aumos-otel slo", extra="slo", module=str(error.name)) from None
    place, contents = desired.at(
        target,
        [definitions for _, definitions in _load(files)],
        owner=owner,
        names=names,
        tenant=tenant,
        reload=reload,
        token=os.environ.get("AUMOS_OTEL_SLO_TOKEN"),
    )
    return place, changes(contents, place.read())


def _show(wanted: list[Change], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([{"action": c.action, "name": c.name, "drifted": c.drifted} for c in wanted], indent=2))
    elif wanted:
        print_columns(
            [(c.action, c.name, "edited by somebody since it was applied" if c.drifted else "") for c in wanted],
            grade_first=True,
        )


def _beginning(objective: Objective, at: float) -> float:
    longest = objective.burn_policy.windows[-1]
    return min(objective.window.start(at), at - longest)


def _source(name: str, defined: Definitions, tenant: str | None) -> Any:
    from aumos_otel import sources

    return sources.at(name, defined, tenant=tenant, now=time.time_ns() / 1e9)


def _plot_path(plot: str, objective: Objective, count: int) -> Path:
    path = Path(plot)
    return path if count == 1 else path.with_stem(f"{path.stem}-{objective.name}")


def _draw(result: Any, history: History, path: Path) -> None:
    from aumos_otel.slo.plot import draw

    path.write_bytes(draw(result, history, "png" if path.suffix.lower() == ".png" else "svg"))
    click.echo(f"picture: {path}", err=True)
