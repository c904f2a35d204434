"""Instruments that cannot hurt: not the user's call, and not the other metrics.

What takes amounts (add, record, set) is that of `aumos_otel.providers.metric_recorder`.  The SDK raises where an amount is no number, and one callback that fails badly ends the collection of
every instrument, again and again.  Here both cost themselves alone, and are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import (
    NoOpCounter,
    NoOpHistogram,
    NoOpMeter,
    NoOpObservableCounter,
    NoOpObservableGauge,
    NoOpObservableUpDownCounter,
    NoOpUpDownCounter,
    Observation,
)
from opentelemetry.sdk.metrics import Meter

from aumos_otel import _compat, guard
from aumos_otel._internal import deadline
from aumos_otel.providers.metric_recorder import equip, recorder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.metrics import (
        CallbackOptions,
        CallbackT,
        Counter,
        Histogram,
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
        UpDownCounter,
    )

#: Seconds that one callback of an observable instrument may take.
CALLBACK_PATIENCE: Final = 2.0

_SITE: Final = "providers.instruments"


class GuardedMeter(_compat.ConfiguredMeter):
    """The SDK's meter; its instruments record by themselves, its callbacks are guarded."""

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """A counter; one that does nothing where the name is wrong."""
        with guard.shield(_SITE):
            made = super().create_counter(name, unit, description)
            equip(made, "add")
            return made
        return NoOpCounter(str(name))

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """A counter that also goes down."""
        with guard.shield(_SITE):
            made = super().create_up_down_counter(name, unit, description)
            equip(made, "add", falling=True)
            return made
        return NoOpUpDownCounter(str(name))

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """A histogram."""
        with guard.shield(_SITE):
            made = super().create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory
            )
            equip(made, "record")
            return made
        return NoOpHistogram(str(name))

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        """A gauge; the API keeps the name of its class to itself."""
        with guard.shield(_SITE):
            made = super().create_gauge(name, unit, description)
            equip(made, "set", falling=True)
            return made
        return NoOpMeter("aumos_otel").create_gauge("unnamed")

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        """A counter that is asked."""
        with guard.shield(_SITE):
            return super().create_observable_counter(name, _observing(callbacks), unit, description)
        return NoOpObservableCounter(str(name))

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        """A counter that is asked, and also goes down."""
        with guard.shield(_SITE):
            return super().create_observable_up_down_counter(name, _observing(callbacks), unit, description)
        return NoOpObservableUpDownCounter(str(name))

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        """A gauge that is asked."""
        with guard.shield(_SITE):
            return super().create_observable_gauge(name, _observing(callbacks), unit, description)
        return NoOpObservableGauge(str(name))

    def reconfigured(self, instruments: list[Any]) -> None:
        """Look at what becomes of amounts once more."""
        for instrument in instruments:
            recorder = recorder_of(instrument)
            if recorder is not None:
                recorder.index.empty()


def guarded_meter(meter: Any) -> Any:
    """``meter``, guarded if it is the SDK's own."""
    if type(meter) is Meter:
        meter.__class__ = GuardedMeter
    return meter


def _observing(callbacks: Sequence[CallbackT] | None) -> list[CallbackT]:
    return [_guarded_callback(callback) for callback in callbacks or ()]


def _guarded_callback(callback: Any) -> Callable[[CallbackOptions], Iterable[Observation]]:
    if isinstance(callback, Generator):
        next(callback)  # as the SDK does with one
        ask: Callable[[CallbackOptions], Any] = callback.send
    else:
        ask = callback

    def observe(options: CallbackOptions) -> list[Observation]:
        with guard.contain(_SITE):
            found = _in_time(lambda: list(ask(options) or ()))
            sound = [each for each in found if _is_sound(each)]
            if len(sound) < len(found):
                guard.notice(f"{_SITE}.observation", "a callback of an observable instrument returned what is none")
            return sound
        return []

    return observe


def _in_time(ask: Callable[[], list[Any]]) -> list[Any]:
    try:
        return deadline.within(CALLBACK_PATIENCE, ask)
    except RuntimeError:  # no thread is to be had, as at the end of the interpreter
        return ask()


def _is_sound(found: object) -> bool:
    return isinstance(found, Observation) and isinstance(found.value, int | float)
