"""Providers of the SDK in a forked child: no lock that nobody will release, no counts of the parent's."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import weakref
from typing import Any

from opentelemetry import metrics
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import resources as sdk_resources
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping import exponent_mapping, logarithm_mapping

from aumos_otel import guard
from aumos_otel._compat.metering import MetricReaderStorage
from aumos_otel._compat.required import require

_ExponentMapping: Any = require(exponent_mapping, "ExponentMapping")

_LogarithmMapping: Any = require(logarithm_mapping, "LogarithmMapping")

#: Providers that are renewed in a forked child.
_surviving: weakref.WeakSet[Any] = weakref.WeakSet()


def survive_forks(*providers: Any) -> None:
    """Make forked children able to use these providers of the SDK, whatever lock is held when they are forked.

    The SDK renews some of its locks in the child and not others (1.45: not those of metrics), and
    lets the child go on counting from where its parent was, so that a sum over processes counts twice.
    """
    for provider in providers:
        _surviving.add(provider)
        if isinstance(provider, sdk_metrics.MeterProvider):
            for name in ("_measurement_consumer", "_meters", "_meter_lock"):
                require(provider, name)


def reset_metrics_after_fork(provider: Any) -> None:
    """Let a meter provider start over in a forked child: counts from zero, no lock held, instruments still valid."""
    consumer = provider._measurement_consumer  # noqa: SLF001 - this module is where private names live
    consumer._lock = threading.Lock()  # noqa: SLF001 - same
    storages = consumer._reader_storages  # noqa: SLF001 - same
    consumer._reader_storages = {reader: _new_storage(consumer, reader) for reader in storages}  # noqa: SLF001 - same
    for reader in storages:
        _renew_reader(reader)
    for meter in provider._meters.values():  # noqa: SLF001 - same
        _renew_meter(meter)
    if hasattr(provider, "start_over"):
        provider.start_over()


def _new_storage(consumer: Any, reader: Any) -> Any:
    return MetricReaderStorage(
        consumer._sdk_config,  # noqa: SLF001 - this module is where private names live
        reader._instrument_class_temporality,  # noqa: SLF001 - same
        reader._instrument_class_aggregation,  # noqa: SLF001 - same
        reader._instrument_class_cardinality_limit,  # noqa: SLF001 - same
    )


def _renew_reader(reader: Any) -> None:
    if hasattr(reader, "_lock"):  # the SDK's in-memory reader
        reader._lock = threading.RLock()  # noqa: SLF001 - this module is where private names live
    if hasattr(reader, "_export_lock"):
        reader._export_lock = threading.Lock()  # noqa: SLF001 - same
        thread = reader._daemon_thread  # noqa: SLF001 - same
        if thread is None or not thread.is_alive():  # else the SDK has started it anew, and it waits on the old event
            closed = reader._shutdown_event.is_set()  # noqa: SLF001 - same
            reader._shutdown_event = threading.Event()  # noqa: SLF001 - same
            if closed:
                reader._shutdown_event.set()  # noqa: SLF001 - same


def _renew_meter(meter: Any) -> None:
    for name in ("_instrument_registration_lock", "_instrument_ids_lock", "_lock"):
        if hasattr(meter, name):
            setattr(meter, name, threading.Lock())


def _start_over() -> None:
    """In a forked child, before the SDK's own hooks if we were imported before they were registered."""
    sdk_resources._service_instance_id_lock = threading.Lock()  # noqa: SLF001 - this module is where private names live
    for mapping in (_ExponentMapping, _LogarithmMapping):
        if mapping is not None:
            mapping._mappings_lock = threading.Lock()  # noqa: SLF001 - same
    proxies = metrics._internal._PROXY_METER_PROVIDER  # noqa: SLF001 - same
    for proxy in (proxies, *proxies._meters):  # noqa: SLF001 - same
        _renew_meter(proxy)
    for provider in list(_surviving):
        for name in ("_active_span_processor", "_multi_log_record_processor"):
            if hasattr(provider, name):
                getattr(provider, name)._lock = threading.Lock()  # noqa: SLF001 - same
        if hasattr(provider, "_measurement_consumer"):
            provider._lock, provider._meter_lock = threading.Lock(), threading.Lock()  # noqa: SLF001 - same
            reset_metrics_after_fork(provider)


def _forget_imports_under_way() -> None:
    """Let a forked child import what other threads of its parent were importing; what this thread imports goes on.

    The interpreter's lock of such a module is never released in the child.  A worker thread
    imports something when it first sends: the standard library does, in `socket.getaddrinfo`.
    """
    bootstrap: Any = importlib._bootstrap  # noqa: SLF001 - CPython has no other way
    locks = bootstrap._module_locks  # noqa: SLF001 - same
    for name, reference in list(locks.items()):
        lock = reference()
        if lock is not None and lock.owner not in {None, threading.get_ident()}:
            del locks[name]
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if getattr(spec, "_initializing", False):
                del sys.modules[name]


def _after_fork_in_child() -> None:
    with guard.swallow("compat.imports"):
        _forget_imports_under_way()
    with guard.swallow("compat.fork"):
        _start_over()


def running_threads() -> set[int]:
    """The numbers of all threads that may be running Python code; `threading.enumerate` lacks those that are ending."""
    return set(sys._current_frames())  # noqa: SLF001 - documented


require(sdk_resources, "_service_instance_id_lock")
require(_ExponentMapping, "_mappings_lock")
require(getattr(metrics, "_internal", None), "_PROXY_METER_PROVIDER")

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
