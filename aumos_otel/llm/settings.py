"""What `aumos_otel.llm` is told by ``configure()``: one value for the process."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aumos_otel.config import Capture, Content, LLMOptions, Profile
    from aumos_otel.llm.pricing import PriceTable


@dataclass(frozen=True, slots=True)
class LLMSettings:
    """Content policy, place of captured content, generation of names, price table; see `aumos_otel.LLMOptions`."""

    enabled: bool = True
    content: Content = "none"
    capture: Capture = "span"
    profile: Profile = "1.37"
    prices: PriceTable | None = None

    @property
    def captures(self) -> bool:
        """Whether any content is wanted."""
        return self.content != "none"

    @property
    def on_span(self) -> bool:
        """Whether captured content goes to span attributes."""
        return self.capture in ("span", "both")

    @property
    def on_event(self) -> bool:
        """Whether captured content goes to an event."""
        return self.capture in ("event", "both")

    @property
    def legacy_names(self) -> bool:
        """Whether names as of semantic conventions 1.37 are emitted."""
        return self.profile in ("1.37", "dup")

    @property
    def new_names(self) -> bool:
        """Whether names as of semantic-conventions-genai 0.1 are emitted."""
        return self.profile in ("genai-0.1", "dup")

    @property
    def price_table(self) -> PriceTable:
        """The price table that was configured, else the bundled one, read on first use."""
        return self.prices or _bundled_prices()


_DEFAULT = LLMSettings()
#: The settings in force; another object whenever they change.
in_force = _DEFAULT


def current() -> LLMSettings:
    """The settings in force."""
    return in_force


def install(options: LLMOptions | None) -> None:
    """Put resolved ``options`` in force for the process; None switches LLM telemetry off.

    Raises:
        PriceTableError: the price file is not a price table.
    """
    global in_force  # noqa: PLW0603 - the one process-wide value of this module
    if options is None:
        in_force = LLMSettings(enabled=False)
        return
    prices = _load_prices(options.prices) if options.prices is not None else None
    in_force = LLMSettings(content=options.content, capture=options.capture, profile=options.profile, prices=prices)


def reset() -> None:
    """Go back to the defaults; for tests."""
    global in_force  # noqa: PLW0603 - see install
    in_force = _DEFAULT


def _load_prices(path: str | None) -> PriceTable:
    from aumos_otel.llm.pricing import PriceTable  # noqa: PLC0415 - read on first use

    return PriceTable.load(path)


@functools.cache
def _bundled_prices() -> PriceTable:
    return _load_prices(None)
