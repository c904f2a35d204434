"""Series by the values of their attributes."""

from __future__ import annotations

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aumos_otel.instrumentation import conventions, series
from aumos_otel.instrumentation.series import Series
from aumos_otel.semconv import metrics as metric_names
from aumos_otel.testing import Capture


def sums(reader: InMemoryMetricReader) -> dict[tuple[tuple[str, object], ...], int]:
    """The values of the only counter, by attributes."""
    (resource,) = reader.get_metrics_data().resource_metrics
    (metric,) = resource.scope_metrics[0].metrics
    return {tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points}


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """Collects on demand."""
    return InMemoryMetricReader()


@pytest.fixture
def counted(reader: InMemoryMetricReader) -> Series:
    """Series of a counter of the SDK, which has no bound instruments."""
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test").create_counter("c")
    assert not hasattr(counter, "bound")
    return Series(counter, counter.add, "method", "status")


def test_absent_attributes_are_left_out(counted: Series, reader: InMemoryMetricReader) -> None:
    """None stands for an attribute that is not there; the others keep their values and types."""
    counted["GET", 200](1)
    counted["GET", 200](2, context=None)
    counted["GET", None](4)

    assert sums(reader) == {(("method", "GET"), ("status", 200)): 3, (("method", "GET"),): 4}


def test_a_key_of_another_length_is_refused(counted: Series) -> None:
    """A look-up that forgets an attribute is a mistake of ours, not a series."""
    with pytest.raises(ValueError, match="shorter"):
        counted["GET",]


def test_what_is_remembered_is_bounded(
    counted: Series, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit amounts are taken all the same, and nothing more is kept."""
    monkeypatch.setattr(series, "LIMIT", 3)
    for number in range(10):
        counted["GET", number](1)
        counted["GET", number](1)

    assert len(counted) == 3
    assert sums(reader) == {(("method", "GET"), ("status", number)): 2 for number in range(10)}


def test_an_instrument_that_does_nothing_takes_amounts_as_well() -> None:
    """Without a meter provider the look-up works and nothing happens."""
    counter = NoOpMeterProvider().get_meter("test").create_counter("c")
    assert Series(counter, counter.add, "method")["GET",](1) is None


def test_our_instruments_resolve_attributes_once(telemetry: Capture) -> None:
    """With our meter provider a series is a bound instrument, and what it takes arrives."""
    instruments = conventions.Instruments()
    instruments.refresh()
    taking = instruments.active["GET", "http"]
    taking(2)
    taking(-1)

    assert instruments.active["GET", "http"] is taking
    assert not hasattr(taking, "func")
    (point,) = telemetry.metrics["http.server.active_requests"]
    assert (dict(point.attributes), point.value) == ({"http.request.method": "GET", "url.scheme": "http"}, 1)


@pytest.mark.parametrize(
    ("key", "metric"),
    [
        (conventions.ACTIVE_KEY, metric_names.HTTP_SERVER_ACTIVE_REQUESTS),
        (conventions.SERVER_KEY, metric_names.HTTP_SERVER_REQUEST_DURATION),
        (conventions.CLIENT_KEY, metric_names.HTTP_CLIENT_REQUEST_DURATION),
    ],
)
def test_each_metric_has_the_attributes_of_the_registry(key: tuple[str, ...], metric: metric_names.Metric) -> None:
    """What is looked up and what the registry promises are the same attributes."""
    assert sorted(key) == sorted(metric.attributes)
