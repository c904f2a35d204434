"""A context made current for a block, and given back wherever the block ends.

`opentelemetry.context.detach` logs an error when a stream or a task is closed from another
thread, task or finalizer than the one that attached.  Here that is an expected end.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context

from aumos_otel._internal.ambient import attach_context, current_context, detach_context


class Attachment:
    """Makes ``context`` current from its construction until `release`."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token = attach_context(context)

    def release(self) -> Context:
        """Make the previous context current again; returns the one that was current until now."""
        return give_back(self._token, self._context)


def give_back(token: Any, context: Context) -> Context:
    """Undo the `ambient.attach_context` of ``context`` that returned ``token``; as `Attachment.release`."""
    last: Context = current_context()
    try:
        detach_context(token)
    except (ValueError, RuntimeError):  # another thread, task or finalizer: its current context is not ours to reset
        if last is context:  # it was copied from there
            before = getattr(token, "old_value", None)
            attach_context(before if isinstance(before, Context) else Context())
        return context
    return last
