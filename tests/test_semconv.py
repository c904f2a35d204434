from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aumos_otel"
REGISTRY = yaml.safe_load((PACKAGE / "semconv" / "registry.yaml").read_text())
NAMES = {*REGISTRY["attributes"], *REGISTRY["metrics"], *REGISTRY["events"]}
OWNED_PREFIXES = ("gen_ai.", "aumos.")
#: The scopes are importable module names as well: `logging.getLogger("aumos_otel")` is no telemetry name.
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "semconv")


def docstrings(tree: ast.AST) -> set[int]:
    """Identities of the constants that stand alone as a statement: docstrings and attribute docs."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def owned_literals(path: Path) -> list[str]:
    """Names of the registry, or with an owned prefix, that a module writes out."""
    tree = ast.parse(path.read_text())
    prose = docstrings(tree)
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
        if node.value in NAMES or node.value.startswith(OWNED_PREFIXES)
    ]


def check(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the drift check of a tree."""
    return subprocess.run(
        [sys.executable, str(root / "tools" / "semconv.py"), "--check"], capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the generator reads and writes."""
    for folder in ("aumos_otel/semconv", "docs/reference", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_names_have_one_home(path: Path) -> None:
    """No module outside semconv/ writes out a name that the registry owns."""
    assert owned_literals(path) == []


def test_generated_files_match_the_registry() -> None:
    """The committed constants and reference page are what the registry generates."""
    run = check(ROOT)

    assert (run.returncode, run.stderr) == (0, "")


def test_edited_generated_file_is_drift(copy: Path) -> None:
    """A generated file that was edited by hand fails the check, which names the file and the remedy."""
    with (copy / "aumos_otel" / "semconv" / "events.py").open("a") as file:
        file.write("EXTRA = 1\n")

    run = check(copy)

    assert run.returncode == 1
    assert run.stderr == "aumos_otel/semconv/events.py differs from registry.yaml; run: python tools/semconv.py\n"


def test_metric_with_unknown_attribute_is_refused(copy: Path) -> None:
    """A metric that lists an attribute which the registry does not define fails the check."""
    registry = copy / "aumos_otel" / "semconv" / "registry.yaml"
    content = yaml.safe_load(registry.read_text())
    metric = next(iter(content["metrics"]))
    content["metrics"][metric]["attributes"].append("no.such.attribute")
    registry.write_text(yaml.safe_dump(content, sort_keys=False))

    assert f"metric {metric}: unknown attribute no.such.attribute" in check(copy).stderr
