"""``aumos-otel slo status`` and ``backtest``: what objectives counted, now and in the past."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aumos_otel.cli.output import print_columns
from aumos_otel.cli.slo import FILES, JSON, TENANT, load, token
from aumos_otel.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.slo.history import History
    from aumos_otel.slo.objective import Definitions, Objective
    from aumos_otel.sources import Group, Source

_DAY: Final = 86_400
#: Days of history that can be asked for.
_LONGEST: Final = 400
_FROM: Final = click.option(
    "--from",
    "place",
    default="http://127.0.0.1:9090",
    show_default=True,
    help="URL of Prometheus, a file of counts (CSV, JSON lines, OpenMetrics), or local: the local backend.",
)
_NAME: Final = click.option("--slo", "name", default=None, help="Only this objective.")


def _days(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if not 0 < value <= _LONGEST:  # NaN is neither
        raise click.BadParameter(f"got {value:g}, expected more than 0 and at most {_LONGEST}")
    return value


@click.command()
@FILES
@_FROM
@_NAME
@TENANT
@JSON
def status(*, files: tuple[str, ...], place: str, name: str | None, tenant: str | None, as_json: bool) -> None:
    """Say what burns now; 1 when something does, or is not known."""
    from aumos_otel.slo import report
    from aumos_otel.slo.status import evaluate

    found = []
    for objective, source in _objectives(files, name, place, tenant):
        at = source.now()
        beginning = min(objective.window.start(at), at - objective.burn_policy.windows[-1])
        for group, history in source.histories(objective, beginning, at).items():
            found.append((group, evaluate(objective, history, at)))
    if as_json:
        click.echo(
            json.dumps([{**each.to_dict(), "group": _labels(each.objective, group)} for group, each in found], indent=2)
        )
    else:
        print_columns(report.states(found), grade_first=True)
    sys.exit(1 if any(each.state != "ok" for _, each in found) else 0)


@click.command()
@FILES
@_FROM
@_NAME
@TENANT
@click.option("--days", type=float, default=30.0, show_default=True, callback=_days, help="Of history.")
@click.option(
    "--incidents",
    type=click.Path(exists=True, dir_okay=False),
    default=None,
    help="File of start, end, name; default: found in the history.",
)
@click.option("--plot", type=click.Path(dir_okay=False), default=None, help="Picture to write: .svg or .png.")
@JSON
def backtest(
    *,
    files: tuple[str, ...],
    place: str,
    name: str | None,
    tenant: str | None,
    days: float,
    incidents: str | None,
    plot: str | None,
    as_json: bool,
) -> None:
    """Replay history: which alerts each policy would have fired, how soon, and what it is blind to."""
    from aumos_otel.slo import backtest as engine
    from aumos_otel.slo import report
    from aumos_otel.sources.file import incidents as planted

    known = None if incidents is None else planted(Path(incidents))
    results, empty = [], []
    for objective, source in _objectives(files, name, place, tenant):
        end = source.now()
        for group, history in source.histories(objective, end - days * _DAY, end).items():
            title = "/".join((objective.service, objective.name, *group))
            result = engine.backtest(objective, history, known)
            if result is None:
                empty.append(title)
                continue
            results.append({**result.to_dict(), "group": _labels(objective, group)})
            if plot is not None:
                _draw(result, history, Path(plot), "" if len(results) == 1 else title.replace("/", "-"))
            if not as_json:
                click.echo(f"{title}  {days:g} days, data for {result.coverage:.0%} of it")
                print_columns(report.policies(result))
                click.echo()
                print_columns(report.incidents(result))
                click.echo()
    if as_json:
        click.echo(json.dumps(results, indent=2))
    for title in empty:
        click.echo(f"error: {title} has no data in the last {days:g} days", err=True)
    if empty:
        click.echo(
            "next: see that the rules are loaded and the service is scraped, or name another place with --from",
            err=True,
        )
    sys.exit(2 if empty else 0)


def _objectives(
    files: tuple[str, ...], name: str | None, place: str, tenant: str | None
) -> Iterator[tuple[Objective, Source]]:
    """The objectives that are asked about, each with where its numbers come from."""
    found = [
        (objective, defined)
        for _, defined in load(files)
        for objective in defined.objectives
        if name in {None, objective.name}
    ]
    if not found:
        raise click.BadParameter(f"no objective {name!r} in these files", param_hint="--slo")
    opened: dict[int, Source] = {}
    with contextlib.ExitStack() as closing:
        for objective, defined in found:
            if id(defined) not in opened:
                opened[id(defined)] = _source(place, defined, tenant, closing)
            yield objective, opened[id(defined)]
    for note in dict.fromkeys(note for source in opened.values() for note in source.notes):
        click.echo(f"note: {note}", err=True)


def _source(place: str, defined: Definitions, tenant: str | None, closing: contextlib.ExitStack) -> Source:
    if place == "local":
        try:
            from aumos_otel.local.objectives import LocalSource
        except ModuleNotFoundError as error:
            raise MissingExtraError("--from local", extra="local", module=str(error.name)) from None

        return LocalSource()
    if "://" in place:
        try:
            from aumos_otel.sources.prometheus import Prometheus
        except ModuleNotFoundError as error:
            raise MissingExtraError("aumos-otel slo", extra="slo", module=str(error.name)) from None

        prometheus = Prometheus(place, defined, tenant=tenant, token=token())
        closing.callback(prometheus.close)
        return prometheus
    from aumos_otel.sources.file import File

    return File(Path(place))


def _labels(objective: Objective, group: Group) -> dict[str, str]:
    return dict(zip(objective.group_by, group, strict=True)) if group else {}


def _draw(result: Any, history: History, path: Path, suffix: str) -> None:
    from aumos_otel.slo.plot import draw

    target = path.with_stem(f"{path.stem}-{suffix}") if suffix else path
    target.write_bytes(draw(result, history, "png" if target.suffix.lower() == ".png" else "svg"))
    click.echo(f"picture: {target}", err=True)
