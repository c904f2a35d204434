"""A distribution made up for one test, whose entry points are found like those of an installed one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from opentelemetry.util import _importlib_metadata


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, code: str, **entry_points: str) -> None:
    """Put a module with ``code`` on the path; each entry point is ``group="name = attribute"``."""
    module = f"plugin_{abs(hash((directory, code)))}"
    (directory / f"{module}.py").write_text(code)
    metadata = directory / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = []
    for group, declaration in entry_points.items():
        name, _, attribute = declaration.partition(" = ")
        lines += [f"[{group}]", f"{name} = {module}:{attribute}"]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.setattr(_importlib_metadata, "_original_entry_points_cached", _uncached)
    monkeypatch.setitem(sys.modules, module, None)
    del sys.modules[module]


def _uncached() -> object:
    """What the API caches for the life of the process."""
    from importlib.metadata import entry_points

    return entry_points()
