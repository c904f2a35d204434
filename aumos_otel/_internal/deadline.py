"""Somebody else's code, waited for no longer than a moment.

Python cannot interrupt a call, but it need not wait for it: the call runs on a thread of its
own and is left behind when its time is up.  Only so many may be left behind; from then on
nothing new is tried until one of them ends.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aumos_otel._internal import forking

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Seconds that somebody else's code may keep the user's thread waiting.
PATIENCE: Final = 0.05

#: Calls that may be under way or left behind at one time.
LIMIT: Final = 16

_room = threading.Semaphore(LIMIT)


class _Call(Generic[T]):
    """One call on its thread."""

    def __init__(self, job: Callable[[], T], room: threading.Semaphore) -> None:
        self._job = job
        self._room = room
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Call, keep the outcome, tell the waiting thread."""
        try:
            self.result = self._job()
        except BaseException as error:  # noqa: BLE001 - it is raised again on the thread that waits
            self.error = error
        finally:
            self._room.release()
            self.done.set()


def within(seconds: float, job: Callable[[], T]) -> T:
    """The result of ``job``, which runs on a helper thread in a copy of the current context.

    Args:
        seconds: how long to wait for it.
        job: is left behind when the time is up; what it returns or raises then is forgotten.

    Raises:
        TimeoutError: the time is up, or too many calls were left behind already.
        RuntimeError: no thread can be started.
        BaseException: what ``job`` raised.
    """
    room = _room
    if not room.acquire(blocking=False):
        raise TimeoutError("too many calls are overdue")
    call = _Call(job, room)
    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(call.run,), name="aumos-otel-call", daemon=True).start()
    except BaseException:
        room.release()
        raise
    if not call.done.wait(seconds):
        raise TimeoutError(f"not done within {seconds:g} s")
    if call.error is not None:
        raise call.error
    return call.result  # type: ignore[return-value]  # without an error it is what the job returned


def _start_over() -> None:
    global _room  # noqa: PLW0603 - a forked child needs another one under the same name
    _room = threading.Semaphore(LIMIT)


forking.in_child(_start_over)
