"""What the headers of an ASGI scope say, read in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry.propagators.textmap import Getter

if TYPE_CHECKING:
    from collections.abc import Mapping

    Headers = dict[bytes, bytes]
    Address = tuple[str | None, int | None]

_TOLD: Final = frozenset({b"host", b"user-agent"})
_NOWHERE: Final = otel_context.Context()

#: Host headers whose parts are remembered, and the longest of them, in bytes.
_HOSTS: Final = 500
_HOST_LENGTH: Final = 255


class _Getter(Getter["Headers"]):
    """Hands propagators what has been read."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        value = carrier.get(key.lower().encode("latin-1"))
        return None if value is None else [value.decode("latin-1")]

    def keys(self, carrier: Headers) -> list[str]:
        return [name.decode("latin-1") for name in carrier]


_GETTER: Final = _Getter()


class Reader:
    """Reads the headers that spans tell of and the propagators look at."""

    def __init__(self) -> None:
        self._propagator: Any = None
        self._wanted: frozenset[bytes] | None = None
        self._carrying: frozenset[bytes] = frozenset()
        self._addresses: dict[bytes, Address] = {}

    def refresh(self) -> None:
        """Follow the global propagator; one that does not say which headers it looks at gets them all."""
        propagator = propagate.get_global_textmap()
        if propagator is not self._propagator:
            named = getattr(propagator, "header_names", None)
            if isinstance(named, frozenset):
                self._carrying = frozenset(name.encode("latin-1") for name in named)
                self._wanted = _TOLD | self._carrying
            else:
                self._carrying, self._wanted = frozenset(), None
            self._propagator = propagator

    def read(self, scope: Mapping[str, Any]) -> Headers:
        """Headers by name in small letters; repeated ones are joined, as for a list header."""
        wanted, found = self._wanted, dict[bytes, bytes]()
        for name, value in scope.get("headers") or ():
            key = (name if type(name) is bytes else bytes(name)).lower()
            if wanted is None or key in wanted:
                found[key] = found[key] + b"," + bytes(value) if key in found else bytes(value)
        return found

    def parent(self, headers: Headers) -> otel_context.Context:
        """The caller's context; what was current when the server was started is no parent of requests."""
        if self._wanted is not None and self._carrying.isdisjoint(headers):
            return _NOWHERE
        return propagate.extract(headers, otel_context.Context(), _GETTER)

    def address(self, headers: Headers, scope: Mapping[str, Any]) -> Address:
        """Host and port of the server as the client named them; anyone can send anything here."""
        host = headers.get(b"host")
        if host is None:
            return scope.get("server") or (None, None)
        known = self._addresses.get(host)
        if known is None:
            known = _parts(host)
            if len(host) <= _HOST_LENGTH:
                if len(self._addresses) >= _HOSTS:
                    self._addresses.clear()
                self._addresses[host] = known
        return known


def _parts(host: bytes) -> Address:
    try:
        parts = urlsplit(f"//{host.decode('latin-1')}")
        found = parts.hostname, parts.port
    except ValueError:
        found = None, None
    return found
