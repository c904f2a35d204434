from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 500
MAX_FUNCTION_LINES = 60
GENERATED = "Generated from registry.yaml"
#: Names that say nothing about what is inside.
VAGUE = {"base", "common", "core", "helpers", "manager", "misc", "shared", "tools", "util", "utils"}

PRODUCT = sorted((ROOT / "aumos_otel").rglob("*.py"))
EVERYTHING = [
    ROOT / "noxfile.py",
    *PRODUCT,
    *(path for folder in ("examples", "tests", "tools") for path in sorted((ROOT / folder).rglob("*.py"))),
]


def name_of(path: Path) -> str:
    """A path as the test's id."""
    return path.relative_to(ROOT).as_posix()


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    signature = function.body[0].lineno - function.lineno
    return signature + (function.end_lineno or function.lineno) - first.lineno + 1


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_module_fits_its_budget(path: Path) -> None:
    """No module has more than 500 lines; generated ones are exempt."""
    text = path.read_text()

    assert GENERATED in text or len(text.splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_functions_fit_their_budget(path: Path) -> None:
    """No function of the product has more than 60 lines without its docstring."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert {node.name: code_lines(node) for node in functions if code_lines(node) > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_module_says_why_it_exists(path: Path) -> None:
    """Every module of the product begins with a docstring and has a name that tells its content."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem.strip("_") not in VAGUE
