"""The burn chart and the budget line of an objective: where each line goes, in percent.  Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aumos_otel.slo import budget, quantity
from aumos_otel.slo.burn_rate import Detector, burn_rate
from aumos_otel.slo.window import Rolling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aumos_otel.slo.history import Counts, History
    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.policy import Tier

#: Moments that are drawn at most.
_MOMENTS: Final = 300
#: The chart shows as many long windows, and at least as many short ones.
_LONG_WINDOWS: Final = 16
_SHORT_WINDOWS: Final = 4
_TICKS: Final = 6
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
#: Burn rates that get a line of the grid, as far as they are in the picture.
_GRID: Final = (0, 1, 10, 100, 1000, 10_000)
#: Room above the highest line.
_HEADROOM: Final = 1.3
#: What an overdrawn budget is cut at: below it the part that is left would be too flat to read.
_LOWEST: Final = -1.0
_HALF_AN_HOUR: Final = 1800
_A_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Mark:
    """A line of the grid or a threshold: its place in percent, its label, and the line that it belongs to."""

    at: float
    label: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line over time.

    Attributes:
        name: the window, e.g. ``5m``.
        path: of an SVG path in a box of 100 by 100; it breaks where nothing is known.
        last: the value at its end; None: not known.
    """

    name: str
    path: str
    last: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn; times go from left to right, all places are percent of the picture.

    Attributes:
        burns: one line a window, shortest first.
        thresholds: burn rates at which the windows are reached, by the number of their line.
        burning: where the tier burns: left and width.
        cut: the budget was lower than the picture shows.
    """

    burns: list[Line]
    thresholds: list[Mark]
    grid: list[Mark]
    burning: list[tuple[float, float]]
    budget: Line
    budget_grid: list[Mark]
    cut: bool
    times: list[Mark]
    start: float
    end: float


def draw(objective: Objective, tier: Tier, history: History, at: float) -> Chart | None:
    """The chart of a tier's windows until ``at``, or until its data ended; None without any data."""
    if history.first is None or history.last is None:
        return None
    moments = _moments(tier, history, at)
    rolled = {limit.seconds: list(history.rolling(limit.seconds, moments)) for limit in tier.limits}
    share = float(objective.budget)
    rates = {seconds: [burn_rate(counts, share) for counts in each] for seconds, each in rolled.items()}
    factors = [float(limit.factor) for limit in tier.limits]
    top = _HEADROOM * max(*factors, 1.0, *(rate for each in rates.values() for rate in each if rate is not None))

    def high(rate: float) -> float:
        return round(100 * (1 - math.log1p(rate) / math.log1p(top)), 2)

    left = _budgets(objective, history, moments)
    lowest = max(_LOWEST, min((each for each in left if each is not None), default=0.0))
    lowest = min(lowest, 0.0)

    def full(ratio: float) -> float:
        return round(100 * (1 - (max(ratio, lowest) - lowest) / (1 - lowest)), 2)

    return Chart(
        burns=[
            Line(quantity.duration_text(seconds), _path(rates[seconds], high), rates[seconds][-1]) for seconds in rates
        ],
        thresholds=_thresholds(tier, high),
        grid=[Mark(high(rate), f"{rate:,}x".replace(",", " ")) for rate in _GRID if rate < top],
        burning=_spans(_burning(Detector.of(objective, tier), rolled)),
        budget=Line("budget", _path(left, full), left[-1]),
        budget_grid=[
            Mark(full(ratio), f"{ratio:.0%}".replace("-", "\N{MINUS SIGN}"))
            for ratio in (1.0, 0.5, 0.0, _LOWEST)
            if ratio >= lowest
        ],
        cut=any(each is not None and each < lowest for each in left),
        times=_times(moments[0], moments[-1]),
        start=moments[0],
        end=moments[-1],
    )


def _moments(tier: Tier, history: History, at: float) -> list[float]:
    """Even moments, on the steps of the history, from its beginning or a while ago to its end."""
    first, last, step = history.first or at, history.last or at, history.step
    end = min(at, last + tier.long.seconds)
    wide = min(end - first + step, _LONG_WINDOWS * float(tier.long.seconds))
    wide = max(wide, _SHORT_WINDOWS * float(tier.short.seconds), step)
    spacing = step * math.ceil(wide / step / _MOMENTS)
    count = math.ceil(wide / spacing)
    return [end - spacing * (count - number) for number in range(count + 1)]


def _budgets(objective: Objective, history: History, moments: Sequence[float]) -> list[float | None]:
    period = objective.window
    whole: Iterable[Counts]
    if isinstance(period, Rolling):
        whole = history.rolling(period.seconds, moments)
    else:
        whole = (history.counts(at, at - period.start(at)) for at in moments)
    return [
        budget.of_counts(objective, counts, at, coverage=1.0).remaining_ratio
        for at, counts in zip(moments, whole, strict=True)
    ]


def _path(values: Sequence[float | None], place: Callable[[float], float]) -> str:
    last, written, drawing = len(values) - 1, [], False
    for number, value in enumerate(values):
        if value is not None:
            written.append(f"{'L' if drawing else 'M'}{100 * number / last:.2f} {place(value):.2f}")
            alone = not drawing and (number == last or values[number + 1] is None)
            if alone:  # a line of no length, which its round end shows as a dot
                written.append("h.01")
        drawing = value is not None
    return "".join(written)


def _thresholds(tier: Tier, high: Callable[[float], float]) -> list[Mark]:
    """One mark a factor; windows with the same one share it, and a window may have two."""
    windows = list(dict.fromkeys(limit.seconds for limit in tier.limits))
    first: dict[float, int] = {}
    for limit in tier.limits:
        first.setdefault(float(limit.factor), windows.index(limit.seconds))
    return [Mark(high(factor), f"{factor:g}x", line) for factor, line in first.items()]


def _burning(detector: Detector, rolled: dict[int, list[Counts]]) -> list[bool]:
    count = len(next(iter(rolled.values())))
    return [detector.burning({seconds: each[number] for seconds, each in rolled.items()}) for number in range(count)]


def _spans(burning: Sequence[bool]) -> list[tuple[float, float]]:
    """Where it burns: each moment stands for the time until the next one."""
    width, spans = 100 / (len(burning) - 1), list[tuple[float, float]]()
    for number, burns in enumerate(burning):
        if not burns:
            continue
        begin = number * width
        if spans and math.isclose(sum(spans[-1]), begin):
            begin = spans.pop()[0]
        spans.append((begin, (number + 1) * width - begin))
    return [(round(begin, 2), round(min(wide, 100 - begin), 2)) for begin, wide in spans if begin < 100]  # noqa: PLR2004 - percent


def _times(start: float, end: float) -> list[Mark]:
    """Round local times, about `_TICKS` of them; none so near an edge that its label would stick out."""
    wide = end - start
    step = next((step for step in _STEPS if wide / step <= _TICKS), _A_DAY * math.ceil(wide / _A_DAY / _TICKS))
    form = "%H:%M:%S" if wide < _HALF_AN_HOUR else "%H:%M" if wide < 1.5 * _A_DAY else "%b %d %H:%M"
    found: list[Mark] = []
    try:
        offset = datetime.fromtimestamp(start, UTC).astimezone().utcoffset()
        shift = offset.total_seconds() if offset else 0.0
        at = math.ceil((start + shift) / step) * step - shift
        while at <= end:
            place = 100 * (at - start) / wide
            if 4 <= place <= 96:  # noqa: PLR2004 - percent; see above
                found.append(Mark(round(place, 2), f"{datetime.fromtimestamp(at, UTC).astimezone():{form}}"))
            at += step
    except (OverflowError, ValueError, OSError):
        return []  # a sender's nonsense time, beyond any calendar
    return found
