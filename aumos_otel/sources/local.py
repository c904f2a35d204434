"""From the points of cumulative counters, as the local backend stores them, to what happened in each step."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from aumos_otel.slo.history import History

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

#: Seconds that a counter may have counted before its first point, if that is to count as happened then.
_FRESH: Final = 60.0


class Point(NamedTuple):
    """One point of a monotonic sum.

    Attributes:
        series: what tells it from those of other instances, tenants and the like.
        at: Unix seconds; ``start``: since when it counts, 0 if not known.
        delta: it counts since the point before, not since ``start``.
    """

    series: Hashable
    at: float
    start: float
    value: float
    delta: bool = False


def history(events: Iterable[Point], good: Iterable[Point], *, step: float, longest: float = math.inf) -> History:
    """What was counted in each step, over all series; the points may come in any order.

    Args:
        events: of the counter of all events.
        good: of the counter of the good ones.
        step: seconds; what was counted within one becomes one sample.
        longest: seconds that the history keeps.
    """
    samples: dict[int, list[float]] = defaultdict(lambda: [-math.inf, 0.0, 0.0])
    for column, points in ((1, good), (2, events)):
        for at, increment in _increments(points):
            sample = samples[math.ceil(at / step)]
            sample[0] = max(sample[0], at)
            sample[column] += increment
    return History.of(((at, fine, total) for at, fine, total in samples.values()), step=step, longest=longest)


def _increments(points: Iterable[Point]) -> Iterable[tuple[float, float]]:
    """When and by how much each series grew; a restart of its counter adds what it has counted since."""
    by_series: dict[Hashable, list[Point]] = defaultdict(list)
    for point in points:
        by_series[point.series].append(point)
    for series in by_series.values():
        series.sort(key=lambda point: (point.at, point.start))
        first = series[0]
        # What a counter held long before anybody listened did not happen at its first point.
        fresh = first.start > 0 and first.at - first.start <= max(
            _FRESH, 2 * (series[1].at - first.at) if series[1:] else 0
        )
        yield first.at, first.value if first.delta or fresh else 0.0
        for before, point in pairwise(series):
            restarted = point.value < before.value or point.start > before.at
            yield point.at, point.value if point.delta or restarted else point.value - before.value
