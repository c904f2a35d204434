"""Components that other distributions register as entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from aumos_otel.errors import ConfigError


def load_entry_point(group: str, name: str, subject: str) -> Any:
    """The component registered as ``name`` in ``group``.

    Raises:
        ConfigError: there is none, or it cannot be imported; ``subject`` is the option to name.
    """
    found = [entry for entry in entry_points(group=group) if entry.name == name]
    if not found:
        known = sorted({entry.name for entry in entry_points(group=group)})
        remedy = "install the package that provides it, or choose another"
        raise ConfigError(subject, seen=name, expected="one of " + ", ".join(known), remedy=remedy)
    try:
        return found[0].load()
    except Exception as error:
        remedy = f"repair the package that provides {found[0].value}"
        seen = f"{name} ({type(error).__name__}: {error})"
        raise ConfigError(subject, seen=seen, expected="an importable component", remedy=remedy) from error
