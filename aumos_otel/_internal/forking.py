"""What has to start over in a forked child.

Only the thread that forked lives on there: a lock that another one held stays locked for ever,
queues and counts are the parent's, and worker threads are gone.

That is so for the interpreter's own locks, too: a module that another thread was importing can
never be imported in the child, and a worker thread imports something when it first sends (the
standard library does, inside `socket.getaddrinfo`).  So the child begins such imports anew.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from aumos_otel import guard

if TYPE_CHECKING:
    from collections.abc import Callable


def in_child(start_over: Callable[[], object]) -> None:
    """Call ``start_over`` in every child that is forked from now on; a bound method only while its object lives.

    The calls come in the order of registration.  None of them may raise into the child's code.
    """
    if not hasattr(os, "register_at_fork"):  # Windows
        return
    bound = hasattr(start_over, "__self__")
    find = weakref.WeakMethod(start_over) if bound else lambda: start_over

    def call() -> None:
        found = find()
        if found is not None:
            with guard.swallow("forking.start_over"):
                found()

    os.register_at_fork(after_in_child=call)


def _forget_imports_under_way() -> None:
    """Let the child import what other threads of its parent were importing; what this thread imports goes on."""
    bootstrap: Any = importlib._bootstrap  # type: ignore[attr-defined]  # noqa: SLF001 - CPython has no other way
    for name, reference in list(bootstrap._module_locks.items()):  # noqa: SLF001 - same
        lock = reference()
        if lock is not None and lock.owner not in {None, threading.get_ident()}:
            del bootstrap._module_locks[name]  # noqa: SLF001 - same
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if getattr(spec, "_initializing", False):
                del sys.modules[name]


in_child(_forget_imports_under_way)
