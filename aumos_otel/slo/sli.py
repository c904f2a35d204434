"""What makes a span an event of an SLI, and what makes the event a good one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sli:
    """A service-level indicator over spans."""

    name: str
