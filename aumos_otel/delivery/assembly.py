"""Requests from parcels, and smaller requests from one that was too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.delivery.wire import delimited, string, varint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.message import Message

    from aumos_otel.config import Signal
    from aumos_otel.delivery.parcel import Group, Parcel

# The three requests differ in names only: resource_… = 1 of the request, resource = 1, scope_… = 2 and
# schema_url = 3 of that, scope = 1, the records = 2 and schema_url = 3 again.
_FIRST: Final = b"\x0a"
_SECOND: Final = b"\x12"
_SCHEMA_URL: Final = b"\x1a"

#: Names of the repeated fields that lead to a record.
_PATHS: Final[dict[str, tuple[str, str, str]]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


def assemble(parcels: Iterable[Parcel]) -> bytes:
    """The serialized ``Export…ServiceRequest`` with these records, by resource and scope, else in order."""
    resources: dict[tuple[bytes, str], dict[Group, list[bytes]]] = {}
    for parcel in parcels:
        group = parcel.group
        scopes = resources.setdefault(group[:2], {})
        scopes.setdefault(group, []).append(parcel.data)
    pieces: list[bytes] = []  # joined once, since records are large
    for (resource, schema_url), scopes in resources.items():
        within = [_FIRST + delimited(resource)]
        for group, records in scopes.items():
            _enclose(
                within,
                _SECOND,
                [_FIRST + delimited(group.scope), *records, string(_SCHEMA_URL, group.scope_schema_url)],
            )
        within.append(string(_SCHEMA_URL, schema_url))
        _enclose(pieces, _FIRST, within)
    return b"".join(pieces)


def _enclose(pieces: list[bytes], tag: bytes, message: list[bytes]) -> None:
    """Append a field with the message of which these are the pieces."""
    pieces.append(tag + varint(sum(map(len, message))))
    pieces += message


def split(signal: Signal, body: bytes) -> list[tuple[bytes, int]]:
    """Two requests with half of the records of ``body`` each, and how many they have.

    Of a metric the data points are what is counted and divided.

    Returns:
        Nothing when there is only one record, which cannot be divided.
    """
    request = _request(signal)
    request.ParseFromString(body)
    records = list(_records(signal, request))
    half = len(records) // 2
    if not half:
        return []
    return [(_rebuilt(signal, part), len(part)) for part in (records[:half], records[half:])]


def _request(signal: Signal) -> Any:
    """An empty request; the generated classes are loaded where they are needed, which is rare."""
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - see above
            ExportTraceServiceRequest,
        )

        return ExportTraceServiceRequest()
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: PLC0415 - see above
            ExportLogsServiceRequest,
        )

        return ExportLogsServiceRequest()
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # noqa: PLC0415 - see above
        ExportMetricsServiceRequest,
    )

    return ExportMetricsServiceRequest()


def _records(signal: Signal, request: Any) -> Iterator[tuple[Message, ...]]:
    """Each record with the messages that it lies in, outermost first."""
    by_resource, by_scope, by_record = _PATHS[signal]
    for resource in getattr(request, by_resource):
        for scope in getattr(resource, by_scope):
            for record in getattr(scope, by_record):
                if signal != "metrics":
                    yield resource, scope, record
                elif kind := record.WhichOneof("data"):
                    for point in getattr(record, kind).data_points:
                        yield resource, scope, record, point


def _rebuilt(signal: Signal, records: Iterable[tuple[Message, ...]]) -> bytes:
    """A request with these records alone."""
    request = _request(signal)
    by_resource, by_scope, by_record = _PATHS[signal]
    made: list[tuple[Message, Any]] = []  # the way to the last record: its messages, and our copies of them
    for path in records:
        same = 0
        while same < len(made) and made[same][0] is path[same]:
            same += 1
        del made[same:]
        for depth in range(same, len(path)):
            above = made[depth - 1][1] if depth else request
            made.append((path[depth], _copied(above, depth, path[depth], (by_resource, by_scope, by_record))))
    return bytes(request.SerializeToString())


def _copied(above: Any, depth: int, original: Any, names: tuple[str, str, str]) -> Any:
    """A copy of ``original`` within ``above``, without what lies in it that is divided."""
    if depth < len(names):
        copy = getattr(above, names[depth]).add()
        copy.CopyFrom(original)
        if depth + 1 < len(names):
            copy.ClearField(names[depth + 1])
        elif kind := _points_of(copy):
            getattr(copy, kind).ClearField("data_points")
        return copy
    copy = getattr(above, above.WhichOneof("data")).data_points.add()
    copy.CopyFrom(original)
    return copy


def _points_of(record: Any) -> str | None:
    return record.WhichOneof("data") if "data" in record.DESCRIPTOR.oneofs_by_name else None
