"""What telemetry costs beside the bare SDK, line by line: ``make bench``, or ``python tests/bench/table.py``.

Each scene runs in a process of its own, with the bare SDK in the same run.  A run can be stored (``--save``), and held
against a stored one (``--against``): a line that is more than 15 % worse by both its median and its least is named, and
the exit code is 1.  `rounds` tells how it is measured, `peer` what an adapter for ``--peer`` has.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROUNDS, QUICK = 30, 3
WORSE = 1.15

#: The functions that measure: module and name, which take the number of rounds and return figures.
SCENES = {
    "span": "calls.spans",
    "slis": "calls.spans_with_slis",
    "unsampled": "calls.unsampled",
    "disabled": "calls.disabled",
    "raising": "calls.raising",
    "llm": "llm.operations",
    "llm-unsampled": "llm.operations_unsampled",
    "streams": "llm.streams",
    "encode": "encoding.batches",
    "total": "throughput.total",
    "full-speed": "throughput.full_speed",
    "logs": "logs.lines",
    "requests": "web.lines",
    "metrics": "metrics.lines",
    "scrape": "metrics.pages",
    "start": "startup.startup",
    "no-receiver": "throughput.no_receiver",
}
PACKAGES = (
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-httpx",
    "prometheus-client",
    "protobuf",
    "httpx",
    "fastapi",
)
MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")

Run = dict[str, Any]


def measured_here(scene: str, peer: str | None, rounds: int) -> list[dict[str, Any]]:
    """The figures of a scene, measured in this process."""
    if peer is not None:
        beside = importlib.import_module("peer")
        figures = beside.SCENES[scene](beside.adapter(peer), rounds)
    else:
        module, _, name = SCENES[scene].partition(".")
        figures = getattr(importlib.import_module(module), name)(rounds)
    return [{"scene": scene, **asdict(figure), "reached": figure.reached} for figure in figures]


def measured(scene: str, peer: str | None, rounds: int) -> list[dict[str, Any]]:
    """The same in a new process, in which nobody's settings are.

    Raises:
        RuntimeError: it failed; with what it printed.
    """
    command = [sys.executable, __file__, "--scene", scene, "--rounds", str(rounds), *(["--peer", peer] if peer else [])]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_"))}
    run = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{scene}: exit code {run.returncode}\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def whole_run(scenes: list[str], peers: list[str], rounds: int) -> Run:
    """Every scene, one after the other; what fails is told in ``failed``."""
    figures, failed = [], []
    beside = {"span", "unsampled", "raising", "start"}
    for scene, peer in [
        (scene, peer) for scene in scenes for peer in (None, *peers) if peer is None or scene in beside
    ]:
        print(f"{scene} …", file=sys.stderr, flush=True)
        try:
            figures += measured(scene, peer, rounds)
        except RuntimeError as error:
            failed.append(str(error))
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "rounds": rounds,
        "figures": figures,
        "failed": failed,
    }


def machine() -> str:
    """In words."""
    processor = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        names = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    return f"{os.cpu_count()} cores of {processor}, {platform.system()}"


def cells(figure: dict[str, Any]) -> list[str]:
    """What, bare, ours, the value with the least one, wall, goal, reached."""
    unit = f" {figure['unit']}" if figure["unit"] else ""
    goal = figure["goal"]
    return [
        figure["what"],
        figure["bare"],
        figure["ours"],
        f"{amount(figure['value'])} ({amount(figure['least'])}){unit}",
        "" if figure["wall"] is None else amount(figure["wall"]),
        "" if goal is None else f"{'≥' if figure['more'] else '≤'} {goal:,.10g}{unit}",
        "" if goal is None and figure["reached"] else "yes" if figure["reached"] else "NO",
    ]


def amount(value: float) -> str:
    """With three digits or so."""
    return f"{value:,.0f}" if value >= 20 else f"{value:.2f}" if value >= 0.2 else f"{value:.3f}"


HEADINGS = ("what", "bare, us", "ours, us", "ratio (least)", "wall", "goal", "reached")


def show(run: Run, then: dict[str, dict[str, Any]]) -> None:
    """Print the table; with ``then``, how much each line is of what it was."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=150)
    table = Table(*HEADINGS, *(["now / then"] if then else []), title=heading(run))
    scene = None
    for figure in run["figures"]:
        if figure["scene"] != scene:
            table.add_section()
        scene = figure["scene"]
        what, *others = cells(figure)
        note = f"\n[dim]  {figure['note']}[/dim]" if figure["note"] else ""
        was = then.get(figure["what"])
        table.add_row(what + note, *others, *([f"{change(figure, was, 'value'):.2f}" if was else ""] if then else []))
    console.print(table)


def heading(run: Run) -> str:
    """Where, when and with what it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return f"{run['date']}, {run['machine']}, {run['rounds']} rounds; {versions}"


def markdown(run: Run) -> str:
    """The table for a page."""
    lines = [f"{heading(run)}.", "", f"| {' | '.join(HEADINGS)} | |", "|---" * (len(HEADINGS) + 1) + "|"]
    lines += [f"| {' | '.join([*cells(figure), figure['note']])} |" for figure in run["figures"]]
    return "\n".join(lines)


def change(now: dict[str, Any], then: dict[str, Any], key: str) -> float:
    """How many times worse it is now."""
    old, new = (max(figure[key], 1e-9) for figure in (then, now))
    return old / new if now["more"] else new / old


def worse(run: Run, then: dict[str, dict[str, Any]]) -> list[str]:
    """The lines that are worse than they were."""
    found = []
    for figure in run["figures"]:
        if (was := then.get(figure["what"])) is None:
            continue
        changes = [change(figure, was, key) for key in ("value", "least")]
        if min(changes) > WORSE:
            found.append(f"worse: {figure['what']}: {amount(was['value'])} then, {amount(figure['value'])} now")
        elif was["reached"] and not figure["kept"]:
            found.append(f"worse: {figure['what']}: {figure['note']}")
    return found


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SCENES, metavar="SCENE", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} rounds: whether it runs, not what it costs")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--save", type=Path, metavar="FILE", help="store the run as JSON")
    parser.add_argument("--against", type=Path, metavar="FILE", help="a stored run")
    parser.add_argument("--stored", type=Path, metavar="FILE", help="show this run instead of measuring one")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table between the marks of a page")
    parser.add_argument("--peer", action="append", metavar="FILE", help="an adapter; default: peers that are installed")
    parser.add_argument("--scene", choices=SCENES, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Measure, print, store, compare; the exit code."""
    asked = options()
    rounds = QUICK if asked.quick else asked.rounds
    if asked.scene:
        print(json.dumps(measured_here(asked.scene, asked.peer[0] if asked.peer else None, rounds)))
        return 0
    if asked.stored:
        run: Run = json.loads(asked.stored.read_text())
    else:
        installed = [str(path) for path in sorted(HERE.glob("peers/*.py")) if importlib.util.find_spec(path.stem)]
        run = whole_run(asked.only or list(SCENES), installed if asked.peer is None else asked.peer, rounds)
    then = json.loads(asked.against.read_text())["figures"] if asked.against else []
    known = {figure["what"]: figure for figure in then}
    show(run, known)
    if asked.page:
        before, _, rest = asked.page.read_text().partition(MARKS[0])
        asked.page.write_text(f"{before}{MARKS[0]}\n{markdown(run)}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")
    if asked.save:
        asked.save.write_text(json.dumps(run, indent=1) + "\n")
    complaints = [f"failed: {each}" for each in run["failed"]] + worse(run, known)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
