from __future__ import annotations

import pytest

import aumos_otel as aumos


def scope(*headers: tuple[bytes, bytes]) -> dict:
    """An HTTP scope with these headers."""
    return {"type": "http", "headers": list(headers)}


def test_the_named_headers_become_the_identity() -> None:
    """Any case, spaces trimmed, the first of repeated ones, nothing for empty ones."""
    read = aumos.from_headers(tenant_id="X-Tenant-ID", session_id="x-session", user_id="X-User")
    headers = (b"x-tenant-id", b" acme "), (b"x-tenant-id", b"other"), (b"X-Session", b"s-1"), (b"x-user", b" ")
    assert read(scope(*headers)) == {"tenant_id": "acme", "session_id": "s-1"}
    assert read({"type": "lifespan"}) == {}


def test_the_same_headers_are_the_same_identity() -> None:
    """Calling configure() again with an equal one is the same call."""
    assert aumos.from_headers(tenant_id="X-Tenant") == aumos.from_headers(tenant_id="x-tenant")
    assert aumos.from_headers(tenant_id="X-Tenant") != aumos.from_headers(user_id="X-Tenant")


def test_one_header_may_stand_for_two_parts() -> None:
    """What one header says can be the session and the user."""
    read = aumos.from_headers(session_id="X-Id", user_id="X-Id")
    assert read(scope((b"x-id", b"7"))) == {"session_id": "7", "user_id": "7"}


@pytest.mark.parametrize("given", [{}, {"tenant_id": ""}, {"tenant_id": "X Tenant"}, {"user_id": 7}, {"user_id": "é"}])
def test_what_is_no_header_name_is_refused(given: dict) -> None:
    """The error names the argument and what would be right."""
    with pytest.raises(aumos.ConfigError, match=r"from_headers\("):
        aumos.from_headers(**given)
