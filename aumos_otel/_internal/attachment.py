"""A context made current for a block, and given back wherever the block ends.

`opentelemetry.context.detach` logs an error when a stream or a task is closed from another
thread, task or finalizer than the one that attached.  Here that is an expected end.
"""

from __future__ import annotations

from contextvars import ContextVar

from opentelemetry import context as otel_context

#: Tells whether we are still in the `contextvars.Context` of the attachment, by public means.
_home: ContextVar[None] = ContextVar("aumos_otel_attachment")


class Attachment:
    """Makes ``context`` current from its construction until `release`."""

    __slots__ = ("_context", "_marker", "_previous", "_token")

    def __init__(self, context: otel_context.Context) -> None:
        self._context = context
        self._previous = otel_context.get_current()
        self._token = otel_context.attach(context)
        self._marker = _home.set(None)

    def release(self) -> otel_context.Context:
        """Make the previous context current again; returns the one that was current until now."""
        last = otel_context.get_current()
        try:
            _home.reset(self._marker)
        except ValueError:  # another thread, task or finalizer: its current context is not ours to reset
            if last is self._context:
                otel_context.attach(self._previous)
            return self._context
        otel_context.detach(self._token)
        return last
