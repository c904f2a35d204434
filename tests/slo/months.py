"""Thirty days of a service with six planted incidents, the same for the same seed."""

from __future__ import annotations

import functools
import math
import random
from dataclasses import dataclass

from aumos_otel.slo.history import History
from aumos_otel.slo.incident import Incident

MINUTE = 60
DAY = 86_400
DAYS = 30
#: 2026-10-01T00:00:00Z
BEGUN = 1_790_812_800
#: The share of the events that go wrong on a good day, a tenth of what 99.9% allows.
USUAL = 0.0001


@dataclass(frozen=True)
class Planted:
    """``share`` of the events goes wrong from ``day`` (and fraction) on, for ``minutes``."""

    name: str
    day: float
    minutes: int
    share: float

    @property
    def first(self) -> int:
        """The minute of the month after which it begins."""
        return round(self.day * 1440)

    def incident(self, begun: int) -> Incident:
        """What it is to the engine, in a month that began then."""
        start = float(begun + self.first * MINUTE)
        return Incident(start, start + self.minutes * MINUTE, self.name)


PLANTED = (
    Planted("outage", 3.5, 10, 1.0),
    Planted("tenth", 7.6, 120, 0.10),
    Planted("burn 10", 12.3, 720, 0.01),
    Planted("spike", 17.55, 5, 0.10),
    Planted("leak", 20.4, 3 * 1440, 0.002),
    Planted("night", 27.1, 20, 0.5),
)


@functools.cache
def samples(begun: int = BEGUN, seed: int = 5, busiest: float = 12_000.0) -> list[tuple[float, float, float]]:
    """(at, good, total) of each minute; ``busiest`` events at noon and a hundredth of that at night."""
    rng = random.Random(seed)
    found = []
    for minute in range(1, DAYS * 1440 + 1):
        at = begun + minute * MINUTE
        daylight = (1 - math.cos(2 * math.pi * (minute % 1440) / 1440)) / 2
        total = round(busiest * max(0.01, daylight) * rng.uniform(0.9, 1.1))
        share = next((one.share for one in PLANTED if one.first < minute <= one.first + one.minutes), USUAL)
        spread = math.sqrt(total * share * (1 - share))
        bad = min(total, max(0, round(rng.gauss(total * share, spread))))
        found.append((float(at), float(total - bad), float(total)))
    return found


def history() -> History:
    """The same as a history."""
    return History.of(samples(), step=float(MINUTE))


def incidents(begun: int = BEGUN) -> tuple[Incident, ...]:
    """What was planted."""
    return tuple(one.incident(begun) for one in PLANTED)
