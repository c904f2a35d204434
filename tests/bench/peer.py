"""A package of others beside the bare SDK.  An adapter is a module; `peers/logfire.py` is one.

It has ``NAME``; ``START``, the code that a service begins with; ``configure(exporter, sampled=)``; ``decorate(name)``
and ``span(name)``, its decorator and its block; ``flush()``.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType

from calls import CALLS, Bare, Null, bare, fail, failing, failing_in_span, measured
from rounds import Figure, Job, compared
from startup import startup


def adapter(path: str) -> ModuleType:
    """The module at ``path``, under a name that hides no package."""
    spec = importlib.util.spec_from_file_location("peer_adapter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def spans(peer: ModuleType, rounds: int) -> list[Figure]:
    """A decorated call and a block, sampled."""
    return _calls(peer, rounds, sampled=True, title="")


def unsampled(peer: ModuleType, rounds: int) -> list[Figure]:
    """The same, unsampled; the yardstick is a sampled span."""
    return _calls(peer, rounds, sampled=False, title=", unsampled")


def raising(peer: ModuleType, rounds: int) -> list[Figure]:
    """The same, raising."""
    sdk, (block, decorated) = Bare(), _own(peer, sampled=True, call=fail)
    jobs = {
        "bare": (failing_in_span(sdk.tracer), sdk.flush),
        "block": (failing(block), peer.flush),
        "decorated": (failing(decorated), peer.flush),
    }
    costs = measured(jobs, rounds, CALLS // 4)
    titles = {"block": "a block that raises", "decorated": "a decorated call that raises"}
    return [compared(f"{peer.NAME}: {title}", costs[who], costs["bare"], None) for who, title in titles.items()]


def start(peer: ModuleType, rounds: int) -> list[Figure]:
    """Import and configuration."""
    return startup(rounds, {peer.NAME: peer.START})


def _calls(peer: ModuleType, rounds: int, *, sampled: bool, title: str) -> list[Figure]:
    sdk, (block, decorated) = Bare(), _own(peer, sampled=sampled, call=lambda: None)
    jobs = {
        "bare": (bare(sdk.tracer), sdk.flush),
        "block": (block, peer.flush),
        "decorated": (decorated, peer.flush),
    }
    costs = measured(jobs, rounds)
    titles = {"block": "a block", "decorated": "a decorated call"}
    return [compared(f"{peer.NAME}: {each}{title}", costs[who], costs["bare"], None) for who, each in titles.items()]


def _own(peer: ModuleType, *, sampled: bool, call: Job) -> tuple[Job, Job]:
    peer.configure(Null(), sampled=sampled)

    def block() -> None:
        with peer.span("work"):
            call()

    @peer.decorate("work")
    def decorated() -> None:
        call()

    return block, decorated


#: By the name of the scene of ours.
SCENES = {"span": spans, "unsampled": unsampled, "raising": raising, "start": start}
