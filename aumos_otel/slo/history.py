"""Counts over time: what burn rates and budgets are calculated from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Good events and all events; both may be fractions, because rates are extrapolated and slices weighed.

    ``good`` above ``total`` is a fault of the metrics; the ratio then is 0, never below.
    """

    good: float
    total: float

    @property
    def bad(self) -> float:
        """Events that were not good."""
        return max(0.0, self.total - self.good)

    @property
    def error_ratio(self) -> float | None:
        """The share of the bad; None when nothing happened: that is not the same as good."""
        return self.bad / self.total if self.total > 0 else None
