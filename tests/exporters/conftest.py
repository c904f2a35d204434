"""A Prometheus page on a free port, and meters that feed it."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from aumos_otel.exporters.prometheus import PrometheusPage


@pytest.fixture
def registry():
    """A registry of its own, without the process metrics."""
    return CollectorRegistry(auto_describe=True)


@pytest.fixture
def page(registry):
    """A page on a free port."""
    page = PrometheusPage(port=0, registry=registry)
    yield page
    page.stop()


@pytest.fixture
def provide(page):
    """Start the page and hand out meter providers that feed it."""
    providers = []

    def provide(*, resource=None, views=(), **options):
        provider = MeterProvider(
            [page.reader], resource or Resource({}), views=views, shutdown_on_exit=False, **options
        )
        providers.append(provider)
        assert page.start() is None
        return provider

    yield provide
    for provider in providers:
        provider.shutdown()


@pytest.fixture
def meter(provide):
    """A meter of scope ``app`` whose metrics are on the page."""
    return provide().get_meter("app")
