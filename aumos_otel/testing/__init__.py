"""What tests of instrumented code need: captured telemetry, a receiver that fails on demand, sequential ids.

The fixtures are a pytest plugin, loaded by its entry point:

* ``capture`` configures telemetry into memory for one test and cleans up after it;
* inside it an internal failure of ours is raised instead of swallowed.

>>> def test_answer(capture):
...     answer("hello")
...     assert capture.spans[0].name == "chat gpt-5-mini"

`OTLPSink` is a real receiver on loopback for what happens after that: a `Reply` says how a
request is answered, late, wrongly or not at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aumos_otel.testing.memory import Capture, capture, captured, reset
from aumos_otel.testing.sequences import SequentialIds, TickingClock

if TYPE_CHECKING:
    from aumos_otel.testing.records import Tally
    from aumos_otel.testing.reply import Reply, refuse
    from aumos_otel.testing.request import Request
    from aumos_otel.testing.sink import OTLPSink
    from aumos_otel.testing.tls import TLS

__all__ = [
    "TLS",
    "Capture",
    "OTLPSink",
    "Reply",
    "Request",
    "SequentialIds",
    "Tally",
    "TickingClock",
    "capture",
    "captured",
    "refuse",
    "reset",
]

#: Where the names of the receiver live: they need protobuf, which a plugin that every test run loads must not.
_HOMES = {
    "TLS": "tls",
    "OTLPSink": "sink",
    "Request": "request",
    "Reply": "reply",
    "Tally": "records",
    "refuse": "reply",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aumos_otel.testing' has no attribute {name!r}")
    value = getattr(import_module(f"aumos_otel.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
