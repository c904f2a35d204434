"""Where the past of an objective comes from: Prometheus, a file, the rows of the local backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aumos_otel.slo.history import History
    from aumos_otel.slo.objective import Objective

#: Values of the labels by which an objective is counted apart, in that order; empty for most.
Group = tuple[str, ...]


class Source(Protocol):
    """Something that knows what objectives counted.

    Attributes:
        notes: what the user should know about the answers so far, e.g. that some was left out.
    """

    notes: list[str]

    def now(self) -> float:
        """The latest moment that can be asked about, Unix seconds.

        Raises:
            SourceError: it cannot be had.
        """
        ...

    def histories(self, objective: Objective, start: float, end: float) -> dict[Group, History]:
        """What the objective counted in (``start``, ``end``]; without any data, one empty history of the group ().

        Raises:
            SourceError: it cannot be had.
            ObjectiveError: there is no way to ask for it.
        """
        ...
