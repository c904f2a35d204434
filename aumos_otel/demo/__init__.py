"""``aumos-otel demo``: a real service, a model server and the local backend on this machine.

Its parts are loaded on first use: the service runs in a process of its own and imports this package too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aumos_otel.demo.run import run_demo

__all__ = ["run_demo"]

#: The variable that tells the service where to write its last `Status`, as JSON.
STATUS_VARIABLE: Final = "AUMOS_OTEL_DEMO_STATUS"


def __getattr__(name: str) -> Any:
    if name != "run_demo":
        raise AttributeError(f"module 'aumos_otel.demo' has no attribute {name!r}")
    from aumos_otel.demo.run import run_demo  # noqa: PLC0415 - see above

    return run_demo
