"""Fail open: nothing of ours may raise into the user's code after ``configure()``.

Every place where our code runs inside the user's call is wrapped in `swallow`.  An
exception there is counted by site, logged at most once a minute, and otherwise forgotten.
Under the fixtures of `aumos_otel.testing` (and only there) it is raised again, so that a
defect of ours fails the test that found it.

There are three of them, by whose code runs on whose thread:

* `swallow`: ours on the user's thread; `Exception` only, anything else belongs to the user;
* `shield`: somebody else's (a processor, a sampler, a hook) on the user's thread; also a
  `BaseException` of its own making, but never what ends or cancels the user's work;
* `contain`: anybody's on a thread of ours, which has to live on whatever is raised.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("aumos_otel")

#: Seconds between two log lines about the same site.
LOG_INTERVAL = 60.0

#: What ends or cancels the user's work.  Those of event loops, gevent and pytest are told by name: none is imported.
_CONTROL_FLOW = (KeyboardInterrupt, SystemExit, GeneratorExit)
_CONTROL_FLOW_NAMES = frozenset(
    {"CancelledError", "Cancelled", "GreenletExit", "Timeout", "Exit", "Failed", "OutcomeException", "Skipped"}
)

_counts: Counter[str] = Counter()
_last_logged: dict[str, float] = {}
_lock = threading.RLock()  # a signal handler may come by while its thread is in record()
_strict = False


class swallow:  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Context manager: swallow, count and (rarely) log what is raised inside.

    Only `Exception` is swallowed: `KeyboardInterrupt`, `SystemExit`, `GeneratorExit` and
    `asyncio.CancelledError` belong to the user and pass through.

    Args:
        site: where in our code this is, e.g. ``"llm.usage"``; the key of `swallowed`.

    >>> from aumos_otel import guard
    >>> with guard.swallow("docs.example"):
    ...     raise ValueError("ours")
    >>> guard.swallowed()["docs.example"]
    1
    """

    __slots__ = ("site",)

    def __init__(self, site: str) -> None:
        self.site = site

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if kind is None or not self._takes(kind):
            return False
        record(self.site, error)
        return not _strict

    @staticmethod
    def _takes(kind: type[BaseException]) -> bool:
        return issubclass(kind, Exception)


class shield(swallow):  # noqa: N801 - see swallow
    """`swallow` around somebody else's code on the user's thread; control flow of the user's passes through."""

    __slots__ = ()

    @staticmethod
    def _takes(kind: type[BaseException]) -> bool:
        return not is_control_flow(kind)


class contain(swallow):  # noqa: N801 - see swallow
    """`swallow` on a thread of ours: nobody is above it, so everything ends here, also `SystemExit`."""

    __slots__ = ()

    @staticmethod
    def _takes(_kind: type[BaseException]) -> bool:
        return True


def is_control_flow(kind: type[BaseException]) -> bool:
    """Whether such an exception ends or cancels the user's work, so that it has to reach the user."""
    if issubclass(kind, Exception):
        return False
    return issubclass(kind, _CONTROL_FLOW) or any(base.__name__ in _CONTROL_FLOW_NAMES for base in kind.__mro__)


def record(site: str, error: BaseException | None) -> None:
    """Count one swallowed failure at ``site`` and log it at most once a minute."""
    if _count(site):
        logger.warning(
            "aumos_otel swallowed an internal error at %s (%s); telemetry may be incomplete, the application is not affected",
            site,
            type(error).__name__,
            exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
        )


def told(site: str, error: BaseException) -> None:
    """`swallow` for an exception that has just been caught: where entering a block would cost too much.

    Raises:
        BaseException: the same, under our own fixtures.
    """
    record(site, error)
    if _strict:
        raise error


def notice(site: str, sentence: str) -> None:
    """Count one event at ``site`` that is no exception, and log ``sentence`` at most once a minute."""
    if _count(site):
        logger.warning("%s", sentence)


def _count(site: str) -> bool:
    """Count; whether a line in the log is due."""
    now = time.monotonic()
    with _lock:
        _counts[site] += 1
        due = now - _last_logged.get(site, -LOG_INTERVAL) >= LOG_INTERVAL
        if due:
            _last_logged[site] = now
    return due


def swallowed() -> dict[str, int]:
    """Failures swallowed so far in this process, by site."""
    with _lock:
        return dict(_counts)


def set_strict(value: bool) -> bool:  # noqa: FBT001 - a switch, called with a literal by testing only
    """Raise again instead of swallowing; returns the previous setting.  For test fixtures."""
    global _strict
    previous, _strict = _strict, value
    return previous


def strict() -> bool:
    """Whether failures are raised again: we run under the fixtures of `aumos_otel.testing`."""
    return _strict


def _start_over() -> None:
    """In a forked child: another thread may have held the lock, and the counts are the parent's."""
    global _lock  # noqa: PLW0603 - a forked child needs another lock under the same name
    _lock = threading.RLock()
    _counts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)
