"""The private names that have to be there, and those that are not."""

from __future__ import annotations

import importlib
import os
from typing import Any

from aumos_otel._internal import ambient
from aumos_otel.errors import ConfigError

try:
    importlib.import_module("opentelemetry.propagate")
except ValueError as error:  # the API looks its propagators up when it is imported
    raise ConfigError(
        "OTEL_PROPAGATORS",
        seen=os.environ.get("OTEL_PROPAGATORS"),
        expected="a comma-separated list of installed propagators",
        remedy="correct or unset it, or install the package that provides the propagator",
    ) from error


#: Private names that this version of the API or the SDK lacks.
MISSING: list[str] = [*ambient.MISSING]


def require(owner: Any, name: str) -> Any:
    """The attribute of that name; None where there is none, which `MISSING` then tells."""
    found = getattr(owner, name, None)
    if found is None:
        MISSING.append(f"{getattr(owner, '__name__', owner)}.{name}")
    return found
