"""Run the SDK project's own tests three times: as they are, against our providers, and with our span alone.

    python tests/conformance/upstream.py [DISTRIBUTION …]

The tests come from the source distributions of the installed versions, in ``.cache/upstream``.  It fails where a test
that passes with the SDK fails with us (unless `upstream.toml` gives the reason), where a reason is no longer needed,
and where too few spans or meters of ours were made for the run to mean anything.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "upstream"
EXPECTED = tomllib.loads((HERE / "upstream.toml").read_text())
#: Nothing of this project's own configuration holds for tests of others.
SETTINGS = "[pytest]\n"


def sources(distribution: str) -> Path:
    """The unpacked source distribution of the installed version."""
    version = importlib.metadata.version(distribution)
    name = f"{distribution.replace('-', '_')}-{version}"
    folder = CACHE / name
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as download:
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
            wanted = ["--no-deps", "--no-build-isolation", "--no-binary=:all:", f"{distribution}=={version}"]
            subprocess.run([*pip, *wanted, f"--dest={download}"], check=True)
            with tarfile.open(Path(download) / f"{name}.tar.gz") as archive:
                archive.extractall(download, filter="data")
            (Path(download) / name).rename(folder)
    return folder


def run(folder: Path, side: str, *tests: str) -> dict[str, Any]:
    """What became of the tests in ``folder``, and what was made; all of the tests where none is named."""
    with tempfile.TemporaryDirectory() as scratch:
        report, settings = Path(scratch) / "report.json", Path(scratch) / "pytest.ini"
        settings.write_text(SETTINGS)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "AUMOS_"))}
        environment |= {
            "CONFORMANCE_SIDE": side,
            "CONFORMANCE_REPORT": str(report),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")]),
            "PYTHONPATH": os.pathsep.join([str(HERE), environment.get("PYTHONPATH", "")]),
        }
        plugins = ["-p", "no:cacheprovider", "-p", "no:aumos_otel", "-p", "no:asyncio", "-p", "upstream_plugin"]
        options = ["-q", "-c", str(settings), "--rootdir=.", "--import-mode=importlib", *plugins]
        command = [sys.executable, "-m", "pytest", *options, *(tests or ("tests",))]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if not report.exists():
            raise SystemExit(f"{folder.name}, {side}: pytest ended without a report\n{done.stdout}{done.stderr}")
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def flips(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Tests that passed and do not any more."""
    return {test for test, outcome in before.items() if outcome == "passed" and after.get(test) != "passed"}


def judge(
    found: set[str], reasons: dict[str, str], made: dict[str, int], least: dict[str, int], *, constructed: bool
) -> list[str]:
    """What is wrong with a run against us; nothing, where it conforms.

    Args:
        found: tests that pass with the SDK and fail with us.
        reasons: those of them that are expected, with the reason.
        made: how many spans and meters were made, by package.
        least: how many of ours there have to be.
        constructed: whether there must be no span of the SDK's.
    """
    wrong = [f"passes with the SDK, fails with us: {test}" for test in sorted(found - set(reasons))]
    wrong += [f"passes again, its reason can go: {test}" for test in sorted(set(reasons) - found)]
    for thing, number in least.items():
        ours = made.get(f"{thing} of aumos_otel", 0)
        if ours < number:
            wrong.append(f"{ours} times a {thing} of ours, of at least {number}: the run is vacuous")
    if constructed and made.get("span of opentelemetry", 0):
        wrong.append(f"{made['span of opentelemetry']} spans were the SDK's where all should be ours")
    return wrong


def examine(distribution: str) -> list[str]:
    """Run the tests of one distribution on all sides; returns what is wrong."""
    folder, expected = sources(distribution), EXPECTED[distribution]
    stock = run(folder, "stock")
    outcomes = list(stock["outcomes"].values())
    print(f"{distribution}: {len(outcomes)} tests, {outcomes.count('passed')} pass with the SDK", flush=True)
    wrong = []
    for side in ("ours", "spans"):
        result = run(folder, side)
        found, made = flips(stock["outcomes"], result["outcomes"]), result["made"]
        unexpected = found - set(expected["reasons"])
        if unexpected:  # a test may fail by chance
            again = flips(dict.fromkeys(unexpected, "passed"), run(folder, side, *sorted(unexpected))["outcomes"])
            found -= unexpected - again
        verdict = judge(found, expected["reasons"], made, expected["least"], constructed=side == "spans")
        counted = ", ".join(f"{number} {thing}" for thing, number in sorted(made.items())) or "nothing"
        print(
            f"  {side}: {len(found)} fail that passed ({len(expected['reasons'])} expected); made: {counted}",
            flush=True,
        )
        wrong += [f"{distribution}, {side}: {each}" for each in verdict]
    return wrong


if __name__ == "__main__":
    problems = [problem for distribution in sys.argv[1:] or EXPECTED for problem in examine(distribution)]
    for problem in problems:
        print(problem)
    raise SystemExit(bool(problems))
