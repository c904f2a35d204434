"""The whole numbers among the specification's variables: queue sizes, times in milliseconds, limits.

As the specification says, an empty variable is an unset one, and a value that cannot be used is
reported and ignored.  The stock SDK raises instead, takes an empty limit for none, and refuses
a queue that is smaller than the default batch.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Quantities = Mapping[str, int | None]

#: The largest value that the specification asks for; a time-out of 0 means as long as it takes.
LARGEST: Final = 2**31 - 1

#: Records that may wait where nothing is said: the specification's 2048 are 85 ms of a busy service.  What bounds
#: the memory is the bound in bytes.
QUEUE_RECORDS: Final = 65_536
#: Records of a request where nothing is said: with the specification's 512 a collector that is 50 ms away takes
#: 10 000 a second at most, since a lane sends one request after the other.
BATCH_RECORDS: Final = 2048

#: Each variable with its default (None: no limit) and its least value.
_DECLARED: Final[dict[str, tuple[int | None, int]]] = {
    "OTEL_BSP_SCHEDULE_DELAY": (5000, 0),
    "OTEL_BSP_EXPORT_TIMEOUT": (30000, 0),
    "OTEL_BSP_MAX_QUEUE_SIZE": (QUEUE_RECORDS, 1),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": (BATCH_RECORDS, 1),
    "OTEL_BLRP_SCHEDULE_DELAY": (1000, 0),
    "OTEL_BLRP_EXPORT_TIMEOUT": (30000, 0),
    "OTEL_BLRP_MAX_QUEUE_SIZE": (QUEUE_RECORDS, 1),
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": (BATCH_RECORDS, 1),
    "OTEL_METRIC_EXPORT_INTERVAL": (60000, 1),
    "OTEL_METRIC_EXPORT_TIMEOUT": (30000, 0),
    "OTEL_ATTRIBUTE_COUNT_LIMIT": (128, 0),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": (None, 0),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": (128, 0),
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": (None, 0),
    "OTEL_SPAN_EVENT_COUNT_LIMIT": (128, 0),
    "OTEL_SPAN_LINK_COUNT_LIMIT": (128, 0),
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": (128, 0),
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": (128, 0),
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": (128, 0),
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": (None, 0),
}

_TIMEOUTS: Final = ("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT")


def read(environ: Mapping[str, str], report: Callable[[str], object]) -> dict[str, int | None]:
    """Every variable with its value in force; ``report`` is told in a sentence about each one that is ignored.

    >>> from aumos_otel._internal import quantities
    >>> quantities.read({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, print)["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"]
    100
    """
    given = {}
    for variable, (_, least) in _DECLARED.items():
        text = environ.get(variable, "").strip()
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if least <= number <= LARGEST:
            given[variable] = number
        elif text:
            report(f"{variable}: got {text!r}, expected a whole number from {least} to {LARGEST}; it is ignored")
    found = {variable: given.get(_source(variable, given), default) for variable, (default, _) in _DECLARED.items()}
    for variable in _TIMEOUTS:
        found[variable] = found[variable] or LARGEST
    for prefix in ("OTEL_BSP", "OTEL_BLRP"):
        _fit_batch(found, given, prefix, report)
    return found


def _source(variable: str, given: Mapping[str, int]) -> str:
    """The variable that decides: a limit that was left out takes the general one."""
    for suffix in ("ATTRIBUTE_COUNT_LIMIT", "ATTRIBUTE_VALUE_LENGTH_LIMIT"):
        if variable.endswith(suffix) and variable not in given:
            return f"OTEL_{suffix}"
    return variable


def _fit_batch(
    found: dict[str, int | None], given: Mapping[str, int], prefix: str, report: Callable[[str], object]
) -> None:
    """A batch cannot be larger than the queue."""
    size, queue = f"{prefix}_MAX_EXPORT_BATCH_SIZE", f"{prefix}_MAX_QUEUE_SIZE"
    room = found[queue] or 1
    if (found[size] or 1) > room:
        if size in given:
            report(f"{size}: got {given[size]}, expected at most {queue} ({room}); {room} is used")
        found[size] = room
