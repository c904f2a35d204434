"""Objectives: what they say, what they compile to, and whether they burn.  Pure: no clock, no I/O, no OpenTelemetry.

The module itself is a decorator, ``@aumos.slo("checkout", below="300ms")``: see `aumos_otel.indicators.slo`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Decorator(ModuleType):
    """The name stands for the rooms here, and for the decorator that declares an indicator in code."""

    def __call__(self, name: str, /, **options: Any) -> Any:
        return import_module("aumos_otel.indicators").slo(name, **options)  # it stands above this room


sys.modules[__name__].__class__ = _Decorator
