"""The SDK, logfire and aumos-otel side by side: sixteen ways in which telemetry is lost, wrong or in the way.

``python tools/compare`` measures all rows on all sides and writes the table into docs/reliability.md;
``--rows 1 8`` and ``--sides stock ours`` choose, and then only print.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from lab import Finding, Lab
from sides import SIDES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
MARKERS = ("<!-- compare: begin -->", "<!-- compare: end -->")
#: Row by row: what happens, and the function that measures it.
ROWS = {
    1: ("SIGTERM with a full queue and a healthy collector", "leaving:sigterm"),
    2: ("nine good records and one that cannot be encoded, in one batch", "damage:bad_records"),
    3: ("one counter above 2^63", "damage:huge_counter"),
    4: ("what is claimed when the collector refuses all (400)", "books:refused"),
    5: ("what is claimed when it redirects (302), or refuses 7 of 10 (partial success)", "books:redirected"),
    6: ("a counter before and after a fork, and the user's instance id", "forking:counters"),
    7: ("forks while other threads record and collect metrics", "forking:busy_threads"),
    8: ("the end of a program while the collector is away", "leaving:exit_time"),
    9: ("a span processor of the user's that raises", "user_code:raising_processor"),
    10: ("force_flush(100 ms) while the collector hangs", "leaving:flush_time"),
    11: ("a burst of 100 000 spans to a collector that is 50 ms away", "damage:burst"),
    12: ("a span around the body of an async generator", "user_code:streaming"),
    13: ("root logger at DEBUG, one log line", "user_code:log_feedback"),
    14: ("httpx to any host: baggage, and a key in the URL", "web:outbound"),
    15: ("spans that a processor sees at a sampling ratio of 0.1", "sampling:seen"),
    16: ("50 forged Host headers", "web:forged_hosts"),
}
TITLES = {"stock": "SDK + OTLP exporter", "logfire": "logfire", "ours": "aumos-otel"}


def logfire_python() -> Path | None:
    """An environment of its own with logfire, or None where it cannot be had."""
    folder = ROOT / ".cache" / "compare" / "logfire"
    uv = str(ROOT / ".cache" / "uv" / "bin" / "uv")
    python = folder / "bin" / "python"
    packages = ("logfire[fastapi,httpx]", "fastapi", "httpx", "uvicorn")
    commands = (
        [uv, "venv", "-q", "-p", sys.executable, str(folder)],
        [uv, "pip", "install", "-qp", str(python), *packages],
    )
    for command in commands if not python.exists() else commands[1:]:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
        if ran.returncode:
            print(f"NOT PROVEN logfire: {ran.stderr.strip()[-300:]}")
            return None
    return python


def measure(lab: Lab, row: int) -> Finding | None:
    """What this side does in this row; None if it could not be measured, which is printed."""
    module, _, function = ROWS[row][1].partition(":")
    try:
        finding = getattr(import_module(module), function)(lab)
    except (RuntimeError, subprocess.TimeoutExpired, ValueError) as error:
        print(f"NOT PROVEN {lab.side}, row {row}: {error}")
        return None
    print(f"{row:2} {lab.side:8} {'good' if finding.good else 'BAD '} {finding.text}", flush=True)
    return Finding(finding.text, finding.good)


def table(found: dict[tuple[int, str], Finding | None], sides: list[str]) -> str:
    """The markdown table."""
    lines = [f"| # | what happens | {' | '.join(TITLES[side] for side in sides)} |", "|---" * (len(sides) + 2) + "|"]
    for row, (title, _) in ROWS.items():
        cells = [found.get((row, side)) for side in sides]
        if any(cells):
            shown = [f"{'✓' if cell.good else '✗'} {cell.text}" if cell else "not proven" for cell in cells]
            lines.append(f"| {row} | {title} | {' | '.join(shown)} |")
    return "\n".join(lines)


def write(text: str) -> None:
    """Put the table between the markers of the page."""
    page = PAGE.read_text()
    before, begin, rest = page.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> int:
    """Run the scenario of one side, or all of the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*")
    parser.add_argument("--sides", nargs="*", choices=SIDES)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--scenario", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.scenario:
        module, _, function = given.scenario.partition(":")
        getattr(import_module(module), function)(SIDES[given.side]())
        return 0
    sides = given.sides or list(SIDES)
    pythons = {side: Path(sys.executable) for side in sides if side != "logfire"}
    if "logfire" in sides and (python := logfire_python()):
        pythons["logfire"] = python
    labs = [Lab(side, pythons[side]) for side in sides if side in pythons]
    found = {(row, lab.side): measure(lab, row) for row in given.rows or ROWS for lab in labs}
    text = table(found, [lab.side for lab in labs])
    print(text)
    if not given.rows and not given.sides:
        write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
