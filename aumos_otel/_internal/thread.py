"""Daemon threads, and what happens when there are none to be had."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from aumos_otel import guard

if TYPE_CHECKING:
    from collections.abc import Callable

#: How Python 3.12 and later refuse a thread from the moment in which the interpreter begins to exit,
#: before the functions of `atexit` run.  What the thread was for is then done by those that there are.
_EXITING: Final = "interpreter shutdown"


def start(name: str, run: Callable[..., object], *arguments: object, site: str) -> threading.Thread | None:
    """Start a daemon thread; None when there is none to be had, counted under ``site`` unless the interpreter exits."""
    thread = threading.Thread(target=run, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        if _EXITING not in str(error):
            guard.record(site, error)
        return None
    return thread
