"""How this process ends, and that telemetry is sent before it does.

| what ends it | what is done |
|---|---|
| the interpreter exits | `atexit` |
| SIGTERM, or a SIGINT that would kill | a handler in front of the one that was there |
| a child of `multiprocessing`, which leaves by ``os._exit()`` | `multiprocessing.util.Finalize` |
| a prefork worker of celery, which does the same | its signal ``worker_process_shutdown`` |
| a worker of gunicorn | it exits as an interpreter does; `aumos_otel.hooks.gunicorn` for its hooks |
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import wrapt

from aumos_otel import guard
from aumos_otel._internal import forking

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], object]

#: Behind the finalizers of the application, which may still emit.
_EXIT_PRIORITY = -100

_departures: weakref.WeakSet[Departure] = weakref.WeakSet()


class SignalHandlers:
    """Handlers of ours in front of those that were there.  Only the main thread can install any."""

    def __init__(self) -> None:
        self._previous: dict[int, Any] = {}

    def install(self, number: int, handler: Handler) -> None:
        """Call ``handler`` when signal ``number`` comes; off the main thread nothing happens."""
        if threading.current_thread() is threading.main_thread():
            with guard.swallow("leaving.signals"):
                self._previous[number] = signal.getsignal(number)
                signal.signal(number, handler)

    def previous(self, number: int) -> Any:
        """What was there before: a function, `signal.SIG_DFL`, `signal.SIG_IGN`, or None when Python does not know."""
        return self._previous.get(number)

    def restore(self, owner: object) -> None:
        """Put back what was there, where the handler is still a method of ``owner``."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if getattr(signal.getsignal(number), "__self__", None) is owner:
                with contextlib.suppress(TypeError):  # None: the previous handler was not set from Python
                    signal.signal(number, previous)
        self._previous.clear()


class Departure:
    """Watches for the end of the process.

    Args:
        flush: begins to send what is queued and does not wait for it.
        leave: sends what is queued and stops, within its budget; may be called again, to no effect.
    """

    def __init__(self, flush: Callable[[], object], leave: Callable[[], object]) -> None:
        self._flush = flush
        self._leave = leave
        self._handlers = SignalHandlers()
        self._leaving = False
        self._deadly: int | None = None

    def watch(self, *, handle_signals: bool) -> None:
        """Begin to watch, from the thread that configures; ``handle_signals`` adds SIGTERM and SIGINT."""
        atexit.register(self.leave)
        _departures.add(self)
        if handle_signals:
            self._handlers.install(signal.SIGTERM, self._on_signal)
            # The handler that Python starts with raises KeyboardInterrupt, which ends in atexit; event loops look for it.
            if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                self._handlers.install(signal.SIGINT, self._on_signal)
        processes: Any = sys.modules.get("multiprocessing.process")  # a child of it has it loaded
        if processes is not None and processes.parent_process() is not None:
            self._finalize()
        forking.in_child(self._after_fork)
        _watch_celery()

    def forget(self) -> None:
        """Stop watching."""
        atexit.unregister(self.leave)
        _departures.discard(self)
        self._handlers.restore(self)

    def leave(self) -> None:
        """Send what is queued and stop.  A deadly signal that comes meanwhile kills afterwards."""
        self._leaving = True
        try:
            with guard.swallow("leaving.exit"):
                self._leave()
        finally:
            self._leaving = False
        if self._deadly is not None:
            _die_of(self._deadly)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        previous = self._handlers.previous(number)
        if callable(previous):  # the application decides what the signal means; it may go on for a while
            with guard.swallow("leaving.signal"):
                self._flush()
            previous(number, frame)
        elif previous is signal.SIG_IGN:
            return
        elif self._leaving and self._deadly is None:  # this very thread is leaving, a few frames below
            self._deadly = number
        else:
            self._deadly = number
            self.leave()
            _die_of(number)

    def _after_fork(self) -> None:
        self._leaving, self._deadly = False, None
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None:  # its children forget what was to be done at their parent's end
            util.register_after_fork(self, Departure._finalize)

    def _finalize(self) -> None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 - a child of it has it loaded

        Finalize(None, self.leave, exitpriority=_EXIT_PRIORITY)


def leave_now(**_about: object) -> None:
    """Send what is queued and stop: for the hooks and signals of servers, which tell what ends by name."""
    for departure in list(_departures):
        departure.leave()


def _die_of(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@functools.cache
def _watch_celery() -> None:
    """Be told when a prefork worker of celery ends, if the process ever imports celery."""
    wrapt.register_post_import_hook(_connect, "celery.signals")


def _connect(signals: Any) -> None:
    with guard.swallow("leaving.celery"):
        signals.worker_process_shutdown.connect(leave_now, weak=False)
