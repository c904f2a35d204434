"""The table of variables is complete, and each of its tests runs."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from aumos_otel import config

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = Path(config.__file__).parent
TABLE: dict[str, dict[str, str]] = {
    name: row
    for group in yaml.safe_load((HERE / "variables.yaml").read_text())
    for name, row in group["variables"].items()
}
VARIABLE = re.compile(r"(?:OTEL|AUMOS)_[A-Z0-9_]*[A-Z0-9]")
#: How the demo's processes find each other; nothing that a user sets.
INTERNAL = {"AUMOS_OTEL_DEMO_STATUS"}


def specification() -> set[str]:
    """The variables of the specification."""
    lines = (HERE / "specification.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize(
    "module",
    [
        "opentelemetry.environment_variables",
        "opentelemetry.sdk.environment_variables",
        "opentelemetry.instrumentation.environment_variables",
    ],
)
def test_every_constant_of_opentelemetry(module: str) -> None:
    """Each variable that the installed API, SDK and instrumentation name is in the table."""
    names = {value for value in vars(importlib.import_module(module)).values() if isinstance(value, str)}

    assert {name for name in names if VARIABLE.fullmatch(name)} - TABLE.keys() == set()


def test_every_variable_of_the_specification() -> None:
    """Each variable of the specification is in the table."""
    assert len(specification()) > 70
    assert specification() - TABLE.keys() == set()


def test_every_declared_variable() -> None:
    """Each variable that an option declares is in the table."""
    kinds = [kind for kind in vars(config).values() if isinstance(kind, type) and issubclass(kind, config.Options)]
    declared = {
        variable
        for kind in kinds
        if kind is not config.Options
        for field in vars(kind)["__dataclass_fields__"].values()
        for variable in field.metadata.get("variables", ())
    }

    assert len(declared) > 30
    assert declared - TABLE.keys() == set()


def test_every_variable_in_the_source() -> None:
    """Each variable that the package's source names is in the table, or the beginning of one that is."""
    found = {
        node.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value)
    }
    unknown = {
        name for name in found - INTERNAL - TABLE.keys() if not any(known.startswith(f"{name}_") for known in TABLE)
    }

    assert unknown == set()


def collected(files: list[str]) -> set[str]:
    """The ids of all tests in these files."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}


def functions(file: Path) -> dict[str, str]:
    """The source of each test function of a file."""
    source = file.read_text()
    return {
        node.name: ast.get_source_segment(source, node) or ""
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }


def test_each_variable_has_its_test() -> None:
    """Each named test is collected by pytest and is about the variable: by its parameters, or in its text."""
    files = {name: (HERE / name).resolve() for name in {row["test"].partition("::")[0] for row in TABLE.values()}}
    there = collected([str(path) for path in files.values()])
    texts = {name: functions(path) for name, path in files.items()}
    wrong = []
    for variable, row in TABLE.items():
        name, _, function = row["test"].partition("::")
        prefix = f"{files[name].relative_to(ROOT).as_posix()}::{function}"
        ids = [found.removeprefix(prefix) for found in there if re.fullmatch(re.escape(prefix) + r"(\[.*\])?", found)]
        about = any(variable in re.split(r"[\[\]-]", each) for each in ids) or variable in texts[name].get(function, "")
        if not ids or not about:
            wrong.append(f"{variable}: {row['test']}")

    assert wrong == []


def test_effects_are_told() -> None:
    """Each row tells its effect in a sentence."""
    assert [name for name, row in TABLE.items() if not row["effect"].endswith(".")] == []


def test_the_reference_pages_are_up_to_date() -> None:
    """docs/reference/configuration.md and environment.md are what the declarations and this table say."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "configuration.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
