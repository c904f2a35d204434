"""``aumos-otel demo``: a real service, a model server and the local backend on this machine.

Loaded on first use: the service of the demo imports this package too, and needs none of the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aumos_otel.demo.run import run_demo

__all__ = ["run_demo"]


def __getattr__(name: str) -> Any:
    if name != "run_demo":
        raise AttributeError(f"module 'aumos_otel.demo' has no attribute {name!r}")
    from aumos_otel.demo.run import run_demo  # noqa: PLC0415 - see above

    return run_demo
