"""Whose records are to be erased, and a request without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aumos_otel.errors import AumosOtelError
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What redaction leaves of an id: (attribute, id, tenant or None) to a hash, or the id where it is not hashed.
Redacted = Callable[[str, str, str | None], str]

#: Per signal: the request, and the names of its three levels.
_SHAPES: Final[dict[str, tuple[type[Message], str, str, str]]] = {
    "traces": (ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans"),
    "logs": (ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records"),
    "metrics": (ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics"),
}
_HASH: Final = re.compile(r"\[HASH:[^\]]+\]")
_TENANT: Final = attributes.AUMOS_TENANT_ID
_USER: Final = attributes.USER_ID


@dataclass(frozen=True, slots=True)
class Subject:
    """A tenant, a user, or a user of a tenant.

    Attributes:
        tenant: id of the tenant; None: of whatever tenant.
        user: id of the user; None: whatever user.
    """

    tenant: str | None = None
    user: str | None = None

    def strip(self, signal: str, body: bytes, redacted: Redacted | None = None) -> tuple[bytes, int]:
        """A serialized request without the subject's records, and how many records were removed.

        A record is the subject's if an attribute of its own, of its scope or of its resource says so, as it is
        or as ``redacted`` left it.  A body that is no request of ``signal`` comes back as it was.
        """
        kind, resources, scopes, items = _SHAPES[signal]
        request: Any = kind()
        try:
            request.ParseFromString(body)
        except DecodeError:
            return body, 0
        removed = 0
        for resource in getattr(request, resources):
            outer = _values(resource.resource.attributes)
            for scope in getattr(resource, scopes):
                inherited = outer | _values(scope.scope.attributes)
                records = getattr(scope, items)
                if signal == "metrics":
                    removed += sum(self._strip_items(_points(metric), inherited, redacted) for metric in records)
                    _keep(records, _points)
                else:
                    removed += self._strip_items(records, inherited, redacted)
            _keep(getattr(resource, scopes), lambda scope: getattr(scope, items))
        _keep(getattr(request, resources), lambda resource: getattr(resource, scopes))
        return (request.SerializeToString(), removed) if removed else (body, 0)

    def _strip_items(self, items: Any, inherited: dict[str, str], redacted: Redacted | None) -> int:
        before = len(items)
        _keep(items, lambda item: not self._owns(inherited | _values(item.attributes), redacted))
        return before - len(items)

    def _owns(self, values: dict[str, str], redacted: Redacted | None) -> bool:
        tenant = values.get(_TENANT)
        wanted = ((_TENANT, self.tenant), (_USER, self.user))
        return all(
            value is None or _is_same(name, value, values.get(name), self.tenant or tenant, redacted)
            for name, value in wanted
        )


def only_hashes(redact: Callable[[str, str, str | None], object]) -> Redacted:
    """``redact`` where it hashes: a mask is the same for everybody, and tells nobody."""

    def redacted(name: str, value: str, tenant: str | None) -> str:
        try:
            left = redact(name, value, tenant)
        except AumosOtelError:  # a redactor that fails closed
            return value
        return left if isinstance(left, str) and _HASH.fullmatch(left) else value

    return redacted


def _is_same(name: str, value: str, seen: str | None, tenant: str | None, redacted: Redacted | None) -> bool:
    if seen is None or seen == value:
        return seen is not None
    if redacted is None or not _HASH.fullmatch(seen):
        return False
    return seen in {redacted(name, value, tenant), redacted(name, value, None)}  # a resource is of no tenant


def _values(pairs: Iterable[Any]) -> dict[str, str]:
    """The two attributes that tell a subject, as text."""
    found = {}
    for pair in pairs:
        if pair.key in {_TENANT, _USER}:
            kind = pair.value.WhichOneof("value")
            found[pair.key] = str(getattr(pair.value, kind)) if kind else ""
    return found


def _points(metric: Any) -> Any:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


def _keep(items: Any, wanted: Callable[[Any], Any]) -> None:
    """Delete from a repeated field what is not wanted."""
    for index in range(len(items) - 1, -1, -1):
        if not wanted(items[index]):
            del items[index]
