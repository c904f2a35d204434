"""``aumos-otel slo``: objectives as files, from the first check to what burns now.

Exit codes: 0 nothing to say, 1 something found (a warning, a change, a burning objective), 2 failed.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aumos_otel.cli.output import Commands, print_columns
from aumos_otel.errors import MissingExtraError

if TYPE_CHECKING:
    from aumos_otel.rollout.plan import Change
    from aumos_otel.slo.objective import Definitions


FILES: Final = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
TENANT: Final = click.option("--tenant", default=None, help="Sent as X-Scope-OrgID.")
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
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
_LABELS: Final = click.option(
    "--label",
    "labels",
    multiple=True,
    help="name=value on the PrometheusRule, for the operator's ruleSelector.",
)


@click.group(cls=Commands)
def slo() -> None:
    """Objectives: check them, compile them to Prometheus rules, replay them, ask what burns."""


@slo.command()
@FILES
@click.option("--events-per-minute", type=float, default=None, help="Traffic to expect, for the checks that need it.")
@JSON
def lint(*, files: tuple[str, ...], events_per_minute: float | None, as_json: bool) -> None:
    """Say what in FILES cannot work or will surprise, with the arithmetic."""
    from aumos_otel.slo.lint import lint as check

    findings = []
    for path, defined in load(files):
        known = {f"{each.service}/{each.name}": events_per_minute for each in defined.objectives if events_per_minute}
        findings += [(path, finding) for finding in check(defined, traffic=known)]
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
    sys.exit(2 if "error" in grades else 1 if "warning" in grades else 0)


@slo.command(name="compile")
@FILES
@click.option("-o", "--output", type=click.Path(file_okay=False), default=None, help="Directory; default: stdout.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["rules", "crd"]),
    default="rules",
    show_default=True,
    help="Rule files or PrometheusRule.",
)
@click.option("--namespace", default="monitoring", show_default=True, help="Of the PrometheusRule.")
@_LABELS
@_OWNER
@_NAMES
def compile_(
    *,
    files: tuple[str, ...],
    output: str | None,
    form: str,
    namespace: str,
    labels: tuple[str, ...],
    owner: str,
    names: Any,
) -> None:
    """Write FILES as Prometheus rules; the same input gives the same bytes."""
    from aumos_otel.rollout import desired
    from aumos_otel.slo import rulefile

    loaded = compilable(files)
    if form == "crd":
        documents = desired.resources(loaded, owner, names, namespace, _pairs(labels))
        contents = {f"{name}.yaml": content for name, content in documents.items()}
    else:
        contents = desired.files(loaded, owner, names)
    if output is None:
        click.echo("---\n".join(rulefile.dump(content) for content in contents.values()), nl=False)
        return
    directory = Path(output)
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (directory / name).write_text(rulefile.dump(content), encoding="utf-8")
        click.echo(str(directory / name))


_TO: Final = click.option("--to", "target", required=True, help="files:DIR, mimir:URL, k8s:NAMESPACE or server:URL.")
_RELOAD: Final = click.option("--reload", default=None, help="URL of the Prometheus that reads the directory.")


@slo.command()
@FILES
@_TO
@TENANT
@_OWNER
@_NAMES
@JSON
def plan(*, files: tuple[str, ...], target: str, tenant: str | None, owner: str, names: Any, as_json: bool) -> None:
    """Show what apply would change; 1 when there is anything, and what somebody else has edited."""
    wanted = _changes(files, target=target, tenant=tenant, owner=owner, names=names, reload=None)[1]
    _show(wanted, as_json=as_json)
    sys.exit(1 if any(change.action != "keep" for change in wanted) else 0)


@slo.command()
@FILES
@_TO
@TENANT
@_RELOAD
@_OWNER
@_NAMES
@JSON
def apply(
    *,
    files: tuple[str, ...],
    target: str,
    tenant: str | None,
    reload: str | None,
    owner: str,
    names: Any,
    as_json: bool,
) -> None:
    """Make the target run what FILES say; nothing that is not this owner's is touched."""
    from aumos_otel.rollout.plan import apply as make

    place, wanted = _changes(files, target=target, tenant=tenant, owner=owner, names=names, reload=reload)
    made = make(place, wanted)
    _show(made, as_json=as_json)
    if not as_json:
        click.echo(f"{len(made)} changed, {len(wanted) - len(made)} as they were, at {place.address}")


@slo.command(name="import")
@FILES
def import_(files: tuple[str, ...]) -> None:
    """Read OpenSLO, sloth or pyrra files and print them as slo.yaml."""
    _export(files, "aumos")


@slo.command()
@FILES
@click.option(
    "--format", "form", type=click.Choice(["openslo", "sloth", "pyrra", "aumos"]), default="openslo", show_default=True
)
def export(files: tuple[str, ...], form: str) -> None:
    """Print FILES in another format."""
    _export(files, form)


def _export(files: tuple[str, ...], form: str) -> None:
    from aumos_otel.slo import formats

    texts = [formats.write(definitions, form) for _, definitions in load(files)]
    click.echo("---\n".join(texts), nl=False)


def token() -> str | None:
    """What is sent as bearer token, to Prometheus, ruler and control plane."""
    return os.environ.get("AUMOS_OTEL_SLO_TOKEN")


def load(files: tuple[str, ...]) -> list[tuple[str, Definitions]]:
    """Each file with what it defines; what of it has no meaning here is noted on stderr."""
    from aumos_otel import definitions

    loaded = definitions.load(files)
    for found in loaded:
        for remark in found.remarks:
            click.echo(f"note: {remark}", err=True)
    return [(path, found.definitions) for path, found in zip(files, loaded, strict=True)]


def compilable(files: tuple[str, ...]) -> list[Definitions]:
    """What the files define, without what is measured elsewhere, which is noted on stderr."""
    from aumos_otel.slo.indicator import Elsewhere

    found = []
    for path, definitions in load(files):
        kept = []
        for objective in definitions.objectives:
            if isinstance(objective.indicator, Elsewhere):
                subject = f"{path}:{objective.line}: {objective.service}/{objective.name}"
                system, remedy = objective.indicator.system, objective.indicator.remedy
                click.echo(f"note: {subject} is left out: it is measured by {system}; {remedy}", err=True)
            else:
                kept.append(objective)
        found.append(replace(definitions, objectives=tuple(kept)))
    return found


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, found, value = text.partition("=")
        if not key or not found:
            raise click.BadParameter(f"got {text!r}, expected name=value", param_hint="--label")
        pairs[key] = value
    return pairs


def _changes(
    files: tuple[str, ...], *, target: str, tenant: str | None, owner: str, names: Any, reload: str | None
) -> tuple[Any, list[Change]]:
    try:
        from aumos_otel.rollout import desired
        from aumos_otel.rollout.plan import changes
    except ModuleNotFoundError as error:
        raise MissingExtraError("aumos-otel slo", extra="slo", module=str(error.name)) from None
    place, contents = desired.at(
        target,
        compilable(files),
        owner=owner,
        names=names,
        tenant=tenant,
        reload=reload,
        token=token(),
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
