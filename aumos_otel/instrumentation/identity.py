"""Where a request's identity comes from: `from_headers`, or any function of the ASGI scope."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class HeaderIdentity:
    """Reads tenant, session and user from request headers; equal when it reads the same ones."""

    headers: tuple[tuple[str, str], ...]

    def __call__(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """The parts that the request carries; the first value of a repeated header counts."""
        sent: dict[str, str] = {}
        for name, value in scope.get("headers") or ():
            sent.setdefault(bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1").strip())
        return {part: sent[header] for part, header in self.headers if sent.get(header)}


def from_headers(
    *, tenant_id: str | None = None, session_id: str | None = None, user_id: str | None = None
) -> HeaderIdentity:
    """Bind what these request headers say, for ``configure(identity=…)``.

    Headers are what the client sent, so this is a label on telemetry and never an access decision.

    Args:
        tenant_id: name of the header that holds the tenant; likewise the others.
        session_id: name of the header that holds the session.
        user_id: name of the header that holds the user.

    Raises:
        ConfigError: no header at all, or a name that no header can have.

    >>> import aumos_otel as aumos
    >>> identity = aumos.from_headers(tenant_id="X-Tenant-ID")
    >>> identity({"type": "http", "headers": [(b"x-tenant-id", b"acme")]})
    {'tenant_id': 'acme'}
    """
    named: dict[str, Any] = {"tenant_id": tenant_id, "session_id": session_id, "user_id": user_id}
    given = {part: header for part, header in named.items() if header is not None}
    for part, header in given.items():
        if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
            raise ConfigError(
                f"from_headers({part}=…)", seen=header, expected="the name of a header", remedy='e.g. "X-Tenant-ID"'
            )
    if not given:
        raise ConfigError(
            "from_headers()", seen="no header", expected="at least one", remedy='pass tenant_id="X-Tenant-ID"'
        )
    return HeaderIdentity(tuple((part, header.lower()) for part, header in given.items()))
