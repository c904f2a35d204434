"""Every check by name: ``nox -l`` lists them, ``nox -s NAME`` runs one, ``make test`` and `.ci/run` choose among them.

The `tests` sessions install the built wheel, never the tree: what is tested is what is shipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
DEFAULT = PYTHONS[0]
#: What has to work where nothing but the core dependencies is installed.
CORE_TESTS = (
    "tests/_internal",
    *(
        f"tests/exporters/test_{part}.py"
        for part in ("console", "exposition", "outlet", "prometheus", "prometheus_endpoint")
    ),
    *(
        f"tests/llm/test_{part}.py"
        for part in ("capture", "content", "decorators", "evaluation", "metrics", "pricing", "spans", "usage")
    ),
    *(f"tests/test_{part}.py" for part in ("public_api", "resource", "spans", "support")),
)
#: Tests of code that knows nothing of OpenTelemetry, and of no library but those that are locked.
PURE_TESTS = tuple(f"--ignore=tests/{part}" for part in ("cli", "redaction", "rollout", "slo", "sources", "spool"))
#: What the SDK project's own tests import, and what fetches them.
UPSTREAM_TOOLS = ("asgiref", "flaky", "mocket", "pip", "psutil")
#: The tests of the telemetry that newer versions of FastAPI bring themselves.
FASTAPI_NATIVE = "tests/instrumentation/test_fastapi_native.py"

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "tests"]


def works(python: str | None) -> bool:
    """Whether this interpreter starts: a pyenv shim exists for versions that are not selected."""
    if python is None:
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0  # noqa: S603 - from PATH


def real_interpreters() -> list[str]:
    """Directories of the interpreters that PATH lacks or has as a shim that fails.

    They are looked for beside the running one (pyenv, uv and asdf keep versions side by side) and in pyenv's root.
    """
    roots = [Path(sys.base_prefix).parent, Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"]
    found = []
    for name in (f"python{version}" for version in PYTHONS):
        if not works(shutil.which(name)):
            found += [str(path.parent) for root in roots for path in sorted(root.glob(f"*/bin/{name}"))[-1:]][:1]
    return found


os.environ["PATH"] = os.pathsep.join([str(ROOT / ".cache" / "uv" / "bin"), *real_interpreters(), os.environ["PATH"]])
os.environ["UV_PYTHON_DOWNLOADS"] = "never"


def tool(session: nox.Session, *command: str) -> None:
    """Run a development tool of the project's own environment (.venv)."""
    session.run("uv", "run", "--frozen", "--all-extras", *command, external=True)


def install(session: nox.Session, *selection: str) -> None:
    """Install the project's built wheel with its locked dependencies into the session."""
    session.run_install(
        *(
            "uv",
            "sync",
            "--frozen",
            "--no-default-groups",
            "--no-editable",
            "--reinstall-package=aumos-otel",
            "--quiet",
        ),
        *(f"--python={session.virtualenv.location}", *selection),
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location},
        external=True,
    )


def run_tests(session: nox.Session, *selection: str) -> None:
    """Run pytest against the installed wheel; ``nox -s NAME -- ARGUMENTS`` takes the place of the selection."""
    chosen = session.posargs or ("--numprocesses=auto", "-m", "not (e2e or bench)", *selection)
    # The tree is kept off sys.path, also in the processes that tests start.
    session.run("python", "-m", "pytest", "--quiet", *chosen, env={"PYTHONSAFEPATH": "1"})


def opentelemetry_requirements() -> list[str]:
    """Each direct requirement on a part of OpenTelemetry, with the project's bounds."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    declared = [project["dependencies"], *project["optional-dependencies"].values(), *groups.values()]
    return [line for lines in declared for line in lines if isinstance(line, str) and line.startswith("opentelemetry-")]


@nox.session(python=False, tags=["lint"])
def lint(session: nox.Session) -> None:
    """Check style, import contracts, generated names and the lock file."""
    tool(session, "ruff", "check", "--quiet", ".")
    tool(session, "ruff", "format", "--check", "--quiet", ".")
    tool(session, "lint-imports", "--no-logo")
    tool(session, "python", "tools/semconv.py", "--check")
    tool(session, "python", "tools/configuration.py", "--check")
    session.run("uv", "lock", "--check", "--offline", "--quiet", external=True)


@nox.session(python=False, tags=["lint"])
def types(session: nox.Session) -> None:
    """Run mypy --strict on the package, the tools and the typing tests."""
    tool(session, "mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test the wheel with every extra and the locked dependencies."""
    install(session, "--all-extras", "--group=test", "--group=clients")
    run_tests(session)


@nox.session(name="tests-minimal", python=DEFAULT)
def tests_minimal(session: nox.Session) -> None:
    """Test the wheel without any extra."""
    install(session, "--group=test")
    run_tests(session, *CORE_TESTS)


@nox.session(name="tests-lowest", python=DEFAULT)
def tests_lowest(session: nox.Session) -> None:
    """Test the wheel with the lowest version of every direct dependency."""
    session.install("--resolution=lowest-direct", ".[all]", "--group=test", "--group=clients")
    run_tests(session, f"--ignore={FASTAPI_NATIVE}")


@nox.session(name="sdk-min", python=DEFAULT)
def sdk_min(session: nox.Session) -> None:
    """Test with the oldest OpenTelemetry that is supported, everything else as locked."""
    install(session, "--all-extras", "--group=test", "--group=clients")
    session.install("--upgrade", "--resolution=lowest-direct", *opentelemetry_requirements())
    run_tests(session)


@nox.session(name="sdk-latest", python=DEFAULT)
def sdk_latest(session: nox.Session) -> None:
    """Test with the newest OpenTelemetry that is published, everything else as locked."""
    install(session, "--all-extras", "--group=test", "--group=clients")
    locked = session.run("uv", "pip", "freeze", silent=True, external=True)
    session.install("--upgrade", *opentelemetry_requirements())
    if session.run("uv", "pip", "freeze", silent=True, external=True) == locked:
        session.skip("the locked versions are the newest ones; the other sessions test them")
    run_tests(session, *PURE_TESTS)


@nox.session(python=DEFAULT)
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, install the wheel as a user does, run the demo from it."""
    build(session)
    (built,) = (ROOT / "dist").glob("*.whl")
    session.install(f"aumos-otel[demo] @ {built.as_uri()}")
    with session.chdir(session.create_tmp()):
        session.run("aumos-otel", "--version")
        session.run("aumos-otel", "demo", "--exit")


@nox.session(python=DEFAULT)
def upstream(session: nox.Session) -> None:
    """Run the SDK project's own tests against our providers; see docs/reference/conformance.md."""
    install(session, "--all-extras", "--group=test")
    session.install(*UPSTREAM_TOOLS)
    # Its releases lag behind the SDK's, to which each is pinned.
    session.install("--prerelease=allow", "--no-deps", "opentelemetry-test-utils>=0.66b0")
    session.run("python", "tests/conformance/upstream.py", *session.posargs)


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Run every snippet of README.md, docs/ and the docstrings."""
    tool(session, "pytest", "tests/test_docs.py", *session.posargs)


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Print what telemetry costs beside the bare SDK: ``-- --quick``, ``-- --against FILE``; see docs/reference/performance.md."""
    tool(session, "python", "tests/bench/table.py", *session.posargs)


@nox.session(name="bench-check", python=False)
def bench_check(session: nox.Session) -> None:
    """Run every bench in its short form: whether it runs, not what it costs."""
    tool(session, "pytest", "-m", "bench", "tests/bench", *session.posargs)


@nox.session(python=False)
def compare(session: nox.Session) -> None:
    """Measure the SDK, logfire and aumos-otel side by side and write the table into docs/reliability.md."""
    tool(session, "python", "tools/compare", *session.posargs)


@nox.session(python=False)
def e2e(session: nox.Session) -> None:
    """Run the tests with real servers and a real browser."""
    tool(session, "pytest", "-m", "e2e", *session.posargs)


@nox.session(python=False)
def soak(session: nox.Session) -> None:
    """Send for half an hour while receiver, disk and processes fail: ``nox -s soak -- --seconds 1800 --seed 7``."""
    tool(session, "python", "tests/soak/run.py", *session.posargs)


@nox.session(python=False)
def faults(session: nox.Session) -> None:
    """Run the fault matrix with many repetitions, the network faults included; see tests/faults/README.md."""
    many = {
        "AUMOS_TEST_KILLS": "50",
        "SPOOL_KILLS": "50",
        "AUMOS_TEST_FORKS": "100",
        "AUMOS_TEST_SPANS": "1000000",
        "AUMOS_TEST_BATCHES": "200",
    }
    session.env.update({name: os.environ.get(name, number) for name, number in many.items()})
    places = (
        "tests/faults",
        "tests/spool/test_processes.py",
        "tests/test_forks.py",
        "tests/processors/test_sli_exact.py",
    )
    tool(session, "pytest", "-m", "", "--timeout=1800", "--capture=no", *(session.posargs or places))


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build sdist and wheel into dist/."""
    session.run("uv", "build", "--quiet", "--clear", external=True)
