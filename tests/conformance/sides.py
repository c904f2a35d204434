"""The two sides that are compared: the SDK's own providers, and those of this distribution that stand in their place."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

#: For each signal: the SDK's module and name of its provider, and the module of ours.
PROVIDERS = {
    "traces": ("opentelemetry.sdk.trace", "TracerProvider", "aumos_otel.providers.tracer"),
    "metrics": ("opentelemetry.sdk.metrics", "MeterProvider", "aumos_otel.providers.meter"),
    "logs": ("opentelemetry.sdk._logs", "LoggerProvider", "aumos_otel.providers.logger"),
}


def stock(signal: str) -> Any:
    """The SDK's class of providers."""
    module, name, _ = PROVIDERS[signal]
    return getattr(importlib.import_module(module), name)


def ours(signal: str) -> Any:
    """Our class of providers: the subclass of the SDK's that our module defines, or the SDK's own where it needs none."""
    module, base = importlib.import_module(PROVIDERS[signal][2]), stock(signal)
    made_here = [
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, base) and each.__module__ == module.__name__
    ]
    return made_here[0] if made_here else base
