"""The series of one instrument, found by the values of their attributes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Series whose attributes are remembered; the others are looked up at each amount.
LIMIT: Final = 2_000


class Series(dict[tuple[Any, ...], Any]):
    """By attribute values, in the order of ``names`` and None for an absent one: what takes an amount and a context.

    Args:
        instrument: a counter or a histogram; ours resolves attributes once (``bound``).
        take: its method that takes amounts.
        names: of the attributes.
    """

    def __init__(self, instrument: Any, take: Callable[..., None], *names: str) -> None:
        super().__init__()
        self._bind = getattr(instrument, "bound", None) or (lambda values: partial(take, attributes=values))
        self._take = take
        self.names = names

    def __missing__(self, key: tuple[Any, ...]) -> Any:
        values = {name: value for name, value in zip(self.names, key, strict=True) if value is not None}
        if len(self) >= LIMIT:
            return partial(self._take, attributes=values)
        taking = self[key] = self._bind(values)
        return taking
