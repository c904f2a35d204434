"""Where tests of log records keep what would have been delivered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Shelf:
    """Takes what a `LogExportProcessor` hands over.

    Attributes:
        items: in the order in which they came.
        weights: size of each, and whether it is dropped last.
    """

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.weights: list[tuple[int, bool]] = []
        self.dispatch: Any = SimpleNamespace(intake=self, close=lambda: None, flush=lambda _deadline: True)

    def put(self, item: Any, size: int, *, valued: bool) -> None:
        """Take one."""
        self.items.append(item)
        self.weights.append((size, valued))
