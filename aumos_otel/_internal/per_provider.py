"""Things made from the global providers, which may be installed or replaced at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PerProvider(Generic[T]):
    """Makes its value on first use, and again whenever ``provider()`` is another object than before."""

    def __init__(self, provider: Callable[[], object], make: Callable[[], T]) -> None:
        self._provider = provider
        self._make = make
        self._made: tuple[object, T] | None = None

    def get(self) -> T:
        """The value for the current provider."""
        provider = self._provider()
        made = self._made
        if made is None or made[0] is not provider:
            made = self._made = (provider, self._make())
        return made[1]
