"""The catalogue: all detectors that ship, the more telling first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import cards, credentials, national, personal, telling

if TYPE_CHECKING:
    from .detector import Detector

DETECTORS: Final[tuple[Detector, ...]] = (
    *credentials.DETECTORS,
    *telling.DETECTORS,
    *cards.DETECTORS,
    *personal.DETECTORS,
    *national.DETECTORS,
)
