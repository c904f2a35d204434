"""Fail open: nothing of ours may raise into the user's code after ``configure()``.

Every place where our code runs inside the user's call is wrapped in `swallow`.  An
exception there is counted by site, logged at most once a minute, and otherwise forgotten.
Under the fixtures of `aumos_otel.testing` (and only there) it is raised again, so that a
defect of ours fails the test that found it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("aumos_otel")

#: Seconds between two log lines about the same site.
LOG_INTERVAL = 60.0

_counts: Counter[str] = Counter()
_last_logged: dict[str, float] = {}
_lock = threading.Lock()
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
        if kind is None or not issubclass(kind, Exception):
            return False
        record(self.site, error)
        return not _strict


def record(site: str, error: BaseException | None) -> None:
    """Count one swallowed failure at ``site`` and log it at most once a minute."""
    now = time.monotonic()
    with _lock:
        _counts[site] += 1
        due = now - _last_logged.get(site, -LOG_INTERVAL) >= LOG_INTERVAL
        if due:
            _last_logged[site] = now
    if due:
        logger.warning(
            "aumos_otel swallowed an internal error at %s (%s); telemetry may be incomplete, the application is not affected",
            site,
            type(error).__name__,
            exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
        )


def swallowed() -> dict[str, int]:
    """Failures swallowed so far in this process, by site."""
    with _lock:
        return dict(_counts)


def set_strict(value: bool) -> bool:  # noqa: FBT001 - a switch, called with a literal by testing only
    """Raise again instead of swallowing; returns the previous setting.  For test fixtures."""
    global _strict
    previous, _strict = _strict, value
    return previous
