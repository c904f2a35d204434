"""The page's endpoint: port, life cycle, fork; what it shows is the matter of test_prometheus.py."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import urllib.request

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from aumos_otel.exporters.prometheus import PrometheusPage


def scrape(page):
    """The page's text."""
    with urllib.request.urlopen(page.url, timeout=10) as response:
        return response.read().decode()


def test_port_in_use_is_a_problem_in_words(page, registry, meter, caplog):
    """A second worker gets no endpoint: the reason and remedy are returned and logged, nothing is raised."""
    meter.create_counter("calls").add(1)
    taken = page.url.rpartition(":")[2].removesuffix("/metrics")
    second = PrometheusPage(port=int(taken), registry=CollectorRegistry())

    problem = second.start()

    assert f"127.0.0.1:{taken}" in problem
    assert "AUMOS_OTEL_PROMETHEUS_PORT" in problem
    assert problem in caplog.messages
    second.stop()
    assert "calls_total" in scrape(page)


def test_metrics_are_in_the_registry_even_without_an_endpoint(registry):
    """Where the port is taken, the user's own route still shows our metrics."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        page = PrometheusPage(port=server.getsockname()[1], registry=registry)
        provider = MeterProvider([page.reader], shutdown_on_exit=False)
        assert page.start() is not None
        provider.get_meter("app").create_counter("calls").add(1)

        assert b"calls_total" in generate_latest(registry)
        provider.shutdown()
    assert b"calls_total" not in generate_latest(registry)


@pytest.mark.parametrize("host", ["256.0.0.1", "bad\ud800host", "192.0.2.1"])
def test_unusable_host_is_a_problem_in_words(host, monkeypatch):
    """A host that is none, or not of this machine, is reported and not raised."""
    monkeypatch.setattr(socket, "getaddrinfo", _resolve_offline)
    page = PrometheusPage(host=host, port=0, registry=CollectorRegistry())

    assert "no Prometheus page" in page.start()
    page.stop()


def _resolve_offline(host, port, *args, **kwargs):
    host.encode("idna")
    if host == "256.0.0.1":
        raise socket.gaierror(-2, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]


def test_stop_ends_thread_port_and_registration(registry):
    """After `stop` nothing is left, a second `stop` is harmless, and the page can start again."""
    page = PrometheusPage(port=0, registry=registry)
    threads = set(threading.enumerate())
    MeterProvider([page.reader], shutdown_on_exit=False).get_meter("app").create_counter("calls").add(1)

    for _ in range(2):
        assert page.start() is None
        assert page.start() is None
        assert "calls_total" in scrape(page)
        page.stop()
        page.stop()

    for thread in set(threading.enumerate()) - threads:
        thread.join(5)  # that of the last request ends by itself
    assert set(threading.enumerate()) == threads
    assert b"calls_total" not in generate_latest(registry)


def test_shutdown_of_the_provider_closes_the_page(page, provide):
    """Who shuts the meter provider down needs to do no more."""
    provide().shutdown()

    with pytest.raises(OSError, match="refused"):
        scrape(page)


def test_registration_collects_nothing(page, registry):
    """Starting the page does not call observable instruments."""
    called = []
    provider = MeterProvider([page.reader], shutdown_on_exit=False)
    provider.get_meter("app").create_observable_gauge("g", [lambda _options: called.append(1) or []])

    page.start()
    page.stop()

    assert called == []
    provider.shutdown()


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:1/metrics"), ("::", "http://[::1]:1/metrics"), ("h", "http://h:1/metrics")],
)
def test_url_can_be_opened(host, url):
    """An address that means every interface is shown as loopback, IPv6 in brackets."""
    assert PrometheusPage(host=host, port=1, registry=CollectorRegistry()).url == url


def test_forked_child_gets_an_endpoint_of_its_own():
    """In a child `start` leaves the parent's socket alone and serves the child's numbers on a port of its own."""
    script = """
        import os, sys, urllib.request
        from opentelemetry.sdk.metrics import MeterProvider
        from prometheus_client import CollectorRegistry
        from aumos_otel.exporters.prometheus import PrometheusPage

        page = PrometheusPage(port=0, registry=CollectorRegistry())
        counter = MeterProvider([page.reader]).get_meter("app").create_counter("calls")
        page.start()
        parent_url = page.url

        def shown(url):
            return urllib.request.urlopen(url, timeout=10).read().decode()

        child = os.fork()
        counter.add(1 if child == 0 else 2)
        if child == 0:
            assert page.start() is None
            assert page.url != parent_url
            assert 'calls_total{otel_scope_name="app"} 1.0' in shown(page.url), shown(page.url)
            page.stop()
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert 'calls_total{otel_scope_name="app"} 2.0' in shown(parent_url)
        page.stop()
        print("both served")
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "both served\n", done.stderr
