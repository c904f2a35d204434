"""What has to start over in a forked child.

Only the thread that forked lives on there: a lock that another one held stays locked for ever,
queues and counts are the parent's, and worker threads are gone.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

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
