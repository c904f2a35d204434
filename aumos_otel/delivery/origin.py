"""Who speaks: resource and scope of a record, cleaned and encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.delivery import wire
from aumos_otel.delivery.cleaning import Cleaner
from aumos_otel.delivery.parcel import Group
from aumos_otel.delivery.truncation import DEFAULT, shorten_attributes
from aumos_otel.redaction.plain import DROP

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.redaction.plain import Plain

#: What `text` is told about a key.
KEY: Final = "attribute.key"

_MAX_KEPT: Final = 1024

#: Bytes that a resource or scope should take in each request, and by how much the limits are divided until it does.
_MAX_BYTES: Final = 128 * 1024
_DIVISORS: Final = (1, 8, 64)

#: By the identity of the SDK's resource and scope, which the entry keeps alive, so that it cannot be taken again.
_kept: dict[tuple[int, int], tuple[Any, Any, Origin]] = {}


class Origin:
    """Resource and scope of records, as plain values.  Never changed: compared and hashed by identity.

    Attributes:
        resource_attributes: of the resource.
        resource_schema_url: of the resource.
        scope_name: the instrumentation that made the record.
        scope_version: its version.
        scope_attributes: its attributes.
        scope_schema_url: its schema.
        group: the same, shortened and serialized.
    """

    __slots__ = (
        "group",
        "resource_attributes",
        "resource_schema_url",
        "scope_attributes",
        "scope_name",
        "scope_schema_url",
        "scope_version",
    )

    def __init__(
        self,
        resource: dict[str, Plain],
        resource_schema_url: str,
        scope: tuple[str, str, dict[str, Plain], str],
    ) -> None:
        self.resource_attributes = resource
        self.resource_schema_url = resource_schema_url
        self.scope_name, self.scope_version, self.scope_attributes, self.scope_schema_url = scope
        self.group = Group(
            _bounded(b"\x0a", resource),
            resource_schema_url,
            wire.string(b"\x0a", self.scope_name)
            + wire.string(b"\x12", self.scope_version)
            + _bounded(b"\x1a", self.scope_attributes),
            self.scope_schema_url,
        )

    def rewritten(self, value: Callable[[str, Plain], Any], text: Callable[[str, str], Any]) -> Origin:
        """The same with every attribute of resource and scope as ``value`` returns it, every other text as ``text`` does."""
        resource, _ = rewrite_attributes(self.resource_attributes, value, text)
        scope, _ = rewrite_attributes(self.scope_attributes, value, text)
        name, version = text("scope.name", self.scope_name), text("scope.version", self.scope_version)
        return Origin(
            resource,
            self.resource_schema_url,
            (name, version, scope, self.scope_schema_url),
        )


def _bounded(tag: bytes, given: dict[str, Plain]) -> bytes:
    """Attributes that leave room for records in a request, however many long ones there are."""
    for divisor in _DIVISORS:
        data = wire.attributes(tag, shorten_attributes(given, DEFAULT.divided(divisor)))
        if len(data) <= _MAX_BYTES:
            break
    return data


def origin_of(resource: Any, scope: Any) -> Origin:
    """The origin for a resource and a scope of the SDK; the same one for the same two objects."""
    key = (id(resource), id(scope))
    kept = _kept.get(key)
    if kept is not None:
        return kept[2]
    cleaner = Cleaner()
    resource_attributes, _ = cleaner.attributes(getattr(resource, "attributes", None))
    scope_attributes, _ = cleaner.attributes(getattr(scope, "attributes", None))
    words = cleaner.words
    origin = Origin(
        resource_attributes,
        words(getattr(resource, "schema_url", None)),
        (
            words(getattr(scope, "name", None)),
            words(getattr(scope, "version", None)),
            scope_attributes,
            words(getattr(scope, "schema_url", None)),
        ),
    )
    if len(_kept) >= _MAX_KEPT:
        _kept.clear()
    _kept[key] = (resource, scope, origin)
    return origin


def rewrite_attributes(
    given: dict[str, Plain], value: Callable[[str, Plain], Any], text: Callable[[str, str], Any]
) -> tuple[dict[str, Plain], int]:
    """Attributes as ``value`` returns them, their keys as ``text`` does, and how many were dropped."""
    taken: dict[str, Plain] = {}
    for key, old in given.items():
        new, name = value(key, old), text(KEY, key)
        if new is not DROP and name is not DROP:
            taken[name] = new
    return taken, len(given) - len(taken)
