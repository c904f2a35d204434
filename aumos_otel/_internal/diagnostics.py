"""What the SDK and we say about ourselves, at most once a minute a message.

A record of ``opentelemetry.…`` passes the handlers of its logger and of that one's parents.
`throttle` puts a gate between the loggers `opentelemetry` and `aumos_otel` and the root logger:
it hands a record on when it is due, with the number of those like it that were held back.  So
loggers that are made later are covered, and levels, handlers and `propagate` are left alone.
"""

from __future__ import annotations

import copy
import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Final

from aumos_otel._internal import forking

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two records of one message.
INTERVAL: Final = 60.0

#: Messages that are remembered.
_MESSAGES: Final = 1000

_NAMES: Final = ("opentelemetry", "aumos_otel")
_LETTERS: Final = re.compile(r"[^\W\d_]{3,}")


def throttle() -> Callable[[], None]:
    """Begin; returns what ends it."""
    undo = [_put_gate(logging.getLogger(name)) for name in _NAMES]

    def end() -> None:
        for restore in undo:
            restore()

    return end


def _put_gate(logger: logging.Logger) -> Callable[[], None]:
    above = logger.parent
    if above is None:  # pragma: no cover - only the root logger has none
        return lambda: None
    gate = logging.Logger(f"{logger.name} (throttled)")  # noqa: LOG001 - it stands in the chain and has no name of its own
    gate.parent, gate.propagate = above, False
    gate.addHandler(Throttle(above))
    logger.parent = gate

    def restore() -> None:
        if logger.parent is gate:
            logger.parent = above

    return restore


class Throttle(logging.Handler):
    """Hands a record on to the logger above, when it is due."""

    def __init__(self, above: logging.Logger) -> None:
        super().__init__()
        self._above = above
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}
        self._start_over()
        forking.in_child(self._start_over)

    def _start_over(self) -> None:
        self._guard = threading.Lock()

    def handle(self, record: logging.LogRecord) -> bool:
        """Pass ``record`` on, or count it; without `Handler`'s lock, which the next handler may need in turn."""
        held_back = self._held_back(record)
        if held_back is None:
            return False
        if held_back:
            record = copy.copy(record)
            record.msg, record.args = f"{record.getMessage()} ({held_back} more like this were held back)", ()
        self._above.callHandlers(record)
        return True

    def _held_back(self, record: logging.LogRecord) -> int | None:
        """How many like it were held back, if it is due; else None."""
        template = str(record.msg)
        text = template if _LETTERS.search(template) else record.getMessage()
        key, now = (record.name, text), time.monotonic()
        with self._guard:
            said, count = self._seen.get(key, (now - INTERVAL, 0))
            if now - said < INTERVAL:
                self._seen[key] = said, count + 1
                return None
            if len(self._seen) >= _MESSAGES:
                self._seen.pop(next(iter(self._seen)))
            self._seen[key] = now, 0
        return count
