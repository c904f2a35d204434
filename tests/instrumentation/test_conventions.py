"""What must not be recorded, whichever way a URL goes through the redaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context

from aumos_otel.instrumentation import conventions
from aumos_otel.instrumentation.conventions import redact_query, redact_url

#: Pieces of URLs, among them every character that has a meaning in one.
_PIECES = st.text("aZ09-._~!$'()*+,;:=&?/%[]|", max_size=12)
_NAMES = st.sampled_from(["api_key", "page", "TOKEN", "x-sig", "q", "monkey", "a" * 80, "secret" * 20])


@given(path=_PIECES, query=st.none() | _PIECES)
def test_the_short_way_and_the_long_way_agree(path: str, query: str | None) -> None:
    """A URL without user and fragment is what it is with both, once they are taken off."""
    tail = "" if query is None else f"?{query}"
    plain = f"https://h.example:8443/{path.partition('?')[0]}{tail}"

    assert redact_url(plain) == redact_url(plain.replace("//", "//u:p@", 1) + "#f")


@given(names=st.lists(_NAMES, min_size=1, max_size=6), quoted=st.booleans())
def test_each_parameter_is_judged_by_its_own_name(names: list[str], quoted: bool) -> None:
    """Neither neighbours nor what was seen before change what becomes of a parameter."""
    secret = {"api_key", "TOKEN", "x-sig", "secret" * 20}
    parts = [(quote(name, safe="").replace("_", "%5F") if quoted else name, name in secret) for name in names]

    found = redact_query("&".join(f"{name}=v" for name, _ in parts))

    assert found == "&".join(f"{name}={'REDACTED' if hidden else 'v'}" for name, hidden in parts)


@pytest.mark.parametrize("query", ["", "&", "token", "=", "=x", "a&b&&token=&"])
def test_what_has_no_value_stays_as_it_is(query: str) -> None:
    """Nothing to hide, nothing changed."""
    assert redact_query(query) == query


def test_names_that_are_remembered_are_bounded_and_short() -> None:
    """Parameters that clients make up do not fill the memory."""
    for number in range(2_000):
        redact_query(f"p{number}=1")
    before = conventions._is_secret.cache_info()
    redact_query("x" * 10_000 + "token=v")

    assert before.currsize <= 500
    assert conventions._is_secret.cache_info() == before


def test_a_context_of_another_task_is_told_and_harmless(caplog: pytest.LogCaptureFixture) -> None:
    """Giving back a context where it was not attached is for the log, as with the API's own function."""

    async def run(job: Callable[[], object]) -> object:
        return job()

    async def elsewhere() -> None:
        token = await asyncio.create_task(run(lambda: otel_context.attach(otel_context.Context({"a": 1}))))
        conventions.leave(token)

    asyncio.run(elsewhere())
    assert "Failed to detach context" in caplog.text
