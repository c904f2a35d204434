"""Who speaks: resource and scope of a record, cleaned and encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.delivery import wire
from aumos_otel.delivery.cleaning import Cleaner
from aumos_otel.delivery.parcel import Group
from aumos_otel.delivery.truncation import DEFAULT, shorten_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.redaction.plain import Plain

_MAX_KEPT: Final = 1024

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
            wire.attributes(b"\x0a", shorten_attributes(resource, DEFAULT)),
            resource_schema_url,
            wire.string(b"\x0a", self.scope_name)
            + wire.string(b"\x12", self.scope_version)
            + wire.attributes(b"\x1a", shorten_attributes(self.scope_attributes, DEFAULT)),
            self.scope_schema_url,
        )

    def rewritten(self, value: Callable[[str, Plain], Any], drop: object) -> Origin:
        """The same with every attribute of resource and scope as ``value`` returns it, without those that are ``drop``."""
        resource, _ = rewrite_attributes(self.resource_attributes, value, drop)
        scope, _ = rewrite_attributes(self.scope_attributes, value, drop)
        return Origin(
            resource,
            self.resource_schema_url,
            (self.scope_name, self.scope_version, scope, self.scope_schema_url),
        )


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
    given: dict[str, Plain], value: Callable[[str, Plain], Any], drop: object
) -> tuple[dict[str, Plain], int]:
    """Attributes as ``value`` returns them, and how many were ``drop``."""
    taken: dict[str, Plain] = {}
    for key, old in given.items():
        new = value(key, old)
        if new is not drop:
            taken[key] = new
    return taken, len(given) - len(taken)
