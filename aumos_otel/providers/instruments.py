"""Instruments that cannot hurt: not the user's call, and not the other metrics.

The SDK raises where an amount is no number, and one callback that fails badly ends the collection of
every instrument, again and again.  Here both cost themselves alone, and are counted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, TypeVar

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

from aumos_otel import guard
from aumos_otel._internal import deadline

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

I = TypeVar("I")  # noqa: E741 - an instrument

#: Seconds that one callback of an observable instrument may take.
CALLBACK_PATIENCE: Final = 2.0

_SITE: Final = "providers.instruments"


class GuardedMeter(Meter):
    """The SDK's meter; its instruments and callbacks are guarded."""

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """A counter; one that does nothing where the name is wrong."""
        with guard.shield(_SITE):
            return _guarded(super().create_counter(name, unit, description), "add")
        return NoOpCounter(str(name))

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """A counter that also goes down."""
        with guard.shield(_SITE):
            return _guarded(super().create_up_down_counter(name, unit, description), "add")
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
            return _guarded(made, "record")
        return NoOpHistogram(str(name))

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        """A gauge; the API keeps the name of its class to itself."""
        with guard.shield(_SITE):
            return _guarded(super().create_gauge(name, unit, description), "set")
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


def guarded_meter(meter: Any) -> Any:
    """``meter``, guarded if it is the SDK's own."""
    if type(meter) is Meter:
        meter.__class__ = GuardedMeter
    return meter


def _guarded(instrument: I, method: str) -> I:
    """``instrument`` with a ``method`` that swallows and counts what a wrong argument makes it raise.

    On the object and not in a subclass: the SDK looks aggregations up by the class of the instrument.
    """
    measure = getattr(instrument, method)

    @functools.wraps(measure)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            measure(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.record(_SITE, error)

    setattr(instrument, method, guarded)
    return instrument


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
