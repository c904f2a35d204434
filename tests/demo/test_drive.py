"""The traffic of the demo."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aumos_otel.demo import drive
from aumos_otel.demo.serving import AppServer


def test_the_requests() -> None:
    """Sixty requests of two tenants: twenty streamed, six broken, three that ask no model."""
    steps = drive.steps()

    assert len(steps) == 60
    assert sum(step.streamed for step in steps) == 20
    assert sum(step.broken for step in steps) == 6
    assert sum(step.question is None for step in steps) == 3
    assert {step.tenant for step in steps} == {"acme", "globex"}
    assert steps == drive.steps()


async def test_each_request_is_sent_once_and_surprises_are_told() -> None:
    """Every request goes out with its tenant and body; one that ends otherwise than it should is reported."""
    seen: list[tuple[str, str | None]] = []

    async def answer(request: Request) -> Response:
        seen.append((request.url.path, request.headers.get("x-tenant-id")))
        return PlainTextResponse("", 404 if request.url.path == "/models/gpt-0" else 200)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    finished: list[None] = []
    with AppServer(app) as server:
        surprises = await drive.drive(server.address, drive.steps(), finished=lambda: finished.append(None))

    assert len(seen) == len(finished) == 60
    assert {tenant for _, tenant in seen} == {"acme", "globex"}
    assert len(surprises) == 5
    assert any("got status 200, expected 429" in surprise for surprise in surprises)
