"""The documents of an OpenSLO stream, as others refer to them: by kind and name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aumos_otel.slo.foreign import Findings, Node

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Final = "openslo"
API_VERSION: Final = "openslo/v1"
#: The type of metric and data sources whose specification is in our own words.
OWN_TYPE: Final = "aumos"
KINDS: Final = (
    "DataSource",
    "Service",
    "SLO",
    "SLI",
    "AlertPolicy",
    "AlertCondition",
    "AlertNotificationTarget",
)

#: Kinds that others refer to by name.
_REFERRED: Final = ("DataSource", "SLI", "AlertPolicy", "AlertCondition")

#: Seconds of the units of a duration; those in capitals have no length of their own, these are the usual ones.
_UNITS: Final = {
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "M": 30 * 86_400,
    "Q": 90 * 86_400,
    "Y": 365 * 86_400,
}
_DURATION: Final = re.compile(r"([0-9]{1,6})([mhdwMQY])")
_SHORTEST_FIRST: Final = ("d", "h", "m")


class Library:
    """What a stream defines that an SLO may refer to.

    Args:
        documents: of the stream; a second one of the same kind and name is noted as a problem.
    """

    def __init__(self, documents: Iterable[Node]) -> None:
        self._found: dict[tuple[str, str], Node] = {}
        for document in documents:
            key = (str(document.value.get("kind")), _name(document))
            if key[0] in _REFERRED and key[1] and self._found.setdefault(key, document) is not document:
                document.findings.problem((*document.path, "metadata", "name"), key[1], f"one {key[0]} of that name")

    def spec(self, kind: str, name: str) -> Node | None:
        """The ``spec`` of a document, to be read once more: what is wrong in it was noted where it stands."""
        document = self._found.get((kind, name))
        return None if document is None else Node(document.value.get("spec"), (), Findings())


def _name(document: Node) -> str:
    metadata = document.value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def metadata(holder: Node) -> Node:
    """The checked metadata of a document, or of one inside another."""
    found = holder.node("metadata", required=True) or Node({"name": "unnamed"}, (), Findings())
    found.text("name", required=True)
    found.text("displayName")
    found.texts("annotations")
    for name, value in (found.get("labels") or {}).items() if isinstance(found.get("labels"), dict) else ():
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            found.findings.problem((*found.path, "labels", name), value, "a string, or a list of strings")
    if not isinstance(found.get("labels"), dict | None):
        found.problem("labels", "a mapping of strings, or of lists of them")
    found.close()
    return found


def duration(holder: Node, key: str, *, required: bool = False) -> int | None:
    """The seconds of a duration such as ``5m`` or ``1Q``."""
    value = holder.get(key)
    if value is None and not required:
        return None
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not int(found[1]):
        holder.problem(key, "a whole number of m, h, d, w, M (months), Q (quarters) or Y (years), e.g. 5m or 4w")
        return None
    return int(found[1]) * _UNITS[found[2]]


def duration_text(seconds: int) -> str | None:
    """The duration in days, hours or minutes; None if it is no whole number of them."""
    unit = next((unit for unit in _SHORTEST_FIRST if seconds % _UNITS[unit] == 0), None)
    return None if unit is None else f"{seconds // _UNITS[unit]}{unit}"
