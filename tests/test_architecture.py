from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aumos_otel"
MODULES = sorted(PACKAGE.rglob("*.py"))
#: Where nothing private of others is touched.
PLAIN = [path for path in MODULES if path.parent.name != "_compat" and path != PACKAGE / "_internal" / "ambient.py"]
SCRIPTS = [
    *MODULES,
    ROOT / "noxfile.py",
    *sorted((ROOT / "tools").rglob("*.py")),
    *sorted((ROOT / "tests").rglob("*.py")),
]
#: OpenTelemetry's name for the logs signal is public in spite of its underscore.
PUBLIC_UNDERSCORE = {"_logs"}
EXCEPTION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover)(?P<rest>.*)")


def name_of(path: Path) -> str:
    """A path as the test's id."""
    return path.relative_to(ROOT).as_posix()


def opentelemetry_imports(path: Path) -> list[str]:
    """Dotted names that a module imports from OpenTelemetry."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.startswith("opentelemetry.")]


def is_private(name: str) -> bool:
    """Whether a dotted name passes through something that OpenTelemetry does not promise."""
    parts = [part for part in name.split(".") if not part.startswith("__")]
    return any(part.startswith("_") and part not in PUBLIC_UNDERSCORE for part in parts)


def reasonless(path: Path) -> list[str]:
    """Suppressions without a reason on their line."""
    with path.open("rb") as file:
        comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    found = [(token.start[0], EXCEPTION.search(token.string)) for token in comments]
    return [
        f"{name_of(path)}:{line}" for line, match in found if match and not re.search(r"\s-\s+\S|#\s*\S", match["rest"])
    ]


@pytest.mark.parametrize("path", PLAIN, ids=name_of)
def test_private_parts_of_opentelemetry_stay_in_compat(path: Path) -> None:
    """Only `_compat` imports what OpenTelemetry does not promise."""
    assert [name for name in opentelemetry_imports(path) if is_private(name)] == []


@pytest.mark.parametrize("path", PLAIN, ids=name_of)
def test_private_attributes_stay_in_compat(path: Path) -> None:
    """Only `_compat`, and `ambient` for the API alone, reaches into objects of others, by attribute or by `getattr`."""
    text = path.read_text()
    reached = re.findall(r"getattr\([^,]+, \"_[a-z]\w*\"", text)

    assert [line for line in text.splitlines() if "SLF001" in line and "same module" not in line] + reached == []


@pytest.mark.parametrize("path", [*sorted((PACKAGE / "llm").rglob("*.py")), PACKAGE / "spans.py"], ids=name_of)
def test_helpers_use_the_api_alone(path: Path) -> None:
    """`aumos_otel.llm` and `aumos_otel.span` import OpenTelemetry's API and nothing of its SDK."""
    beyond = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation")

    assert [name for name in opentelemetry_imports(path) if name.startswith(beyond)] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_each_exception_to_a_rule_has_its_reason(path: Path) -> None:
    """Each `noqa`, `type: ignore` and `no cover` says why on its own line."""
    assert reasonless(path) == []


def test_each_ignored_lint_rule_has_its_reason() -> None:
    """Each rule that pyproject.toml switches off has its reason beside it."""
    lines = (
        (ROOT / "pyproject.toml")
        .read_text()
        .partition("[tool.ruff.lint]")[2]
        .partition("[tool.ruff.lint.pydocstyle]")[0]
    )
    rules = [line for line in lines.splitlines() if re.match(r'\s+"[A-Z]+[0-9]*",', line)]

    assert rules
    assert [line.strip() for line in rules if "#" not in line] == []


def test_each_core_dependency_is_defended() -> None:
    """The decision record about core dependencies has a row for each, and none for others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    record = (ROOT / "docs" / "adr" / "0002-core-dependencies.md").read_text()
    names = [re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in project["dependencies"]]

    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", record, re.MULTILINE)) == sorted(names)
