"""Patterns over names and paths."""

from __future__ import annotations

import pytest

from aumos_otel._internal.globs import compiled


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("/chat", "/chat", True),
        ("/chat", "/chat/1", False),
        ("/chat*", "/chats", True),
        ("/admin/*", "/admin/a/b", True),
        ("/users/{id}", "/users/17", True),
        ("/users/{id}", "/users/{id}", True),
        ("/users/{id}", "/users/17/orders", False),
        ("/users/{id}", "/users/", False),
        ("/files/{name:path}", "/files/a/b", True),
        ("POST /a.b", "POST /axb", False),
        ("chat *", "chat gpt-5-mini", True),
        ("/x*", "/x\ny", True),
    ],
)
def test_patterns(pattern: str, text: str, matches: bool) -> None:
    """``*`` is anything, a placeholder one segment, everything else itself."""
    assert bool(compiled(pattern).fullmatch(text)) is matches
