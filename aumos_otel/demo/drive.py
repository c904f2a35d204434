"""The traffic of the demo: sixty requests of two tenants, twenty streamed, six made to break."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import httpx

from aumos_otel.demo.model_server import BROKEN_STREAM, RATE_LIMIT, SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Requests under way at once.
_CONCURRENCY: Final = 6
#: Seconds that one request may take.
_TIMEOUT: Final = 30.0
_TENANTS: Final = ("acme", "globex")
#: What an answer that began well and broke off counts as.
BROKE_OFF: Final = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One request, and the status that it must end with."""

    path: str
    question: str | None = None
    streamed: bool = False
    status: int = 200
    tenant: str = _TENANTS[0]

    @property
    def broken(self) -> bool:
        """Whether it is made to break."""
        return self.status != httpx.codes.OK


_QUESTIONS: Final = (
    "Which screws hold a shelf of 40 kg in a brick wall?",
    "What is the difference between a hammer drill and a rotary hammer?",
    "Does the red enamel dry at 8 degrees?",
    "How do I return a saw blade that I have not used?",
    "Is the cordless drill back in stock?",
    "Which glue joins oak and steel?",
    "Which ladder reaches a gutter at five metres?",
)
#: The last request of each round: the model is busy, fails, breaks off, or is not there.
_BROKEN: Final = (
    Step("/chat", f"How often should a chisel be sharpened? [[{RATE_LIMIT}]]", status=429),
    Step("/chat", f"Can I paint over wallpaper? [[{SERVER_ERROR}]]", status=502),
    Step("/chat", f"How do I hang a door? [[{BROKEN_STREAM}]]", streamed=True, status=BROKE_OFF),
    Step("/models/gpt-0", status=404),
    Step("/chat", f"What does a dowel cost? [[{SERVER_ERROR}]]", streamed=True, status=502),
    Step("/chat", f"Do you cut glass to size? [[{SERVER_ERROR}]]", status=502),
)
#: Requests in a round, and those that ask over plain HTTP and no model.
_ROUND: Final = 10
_LOOKUPS: Final = (5, 35)


def steps() -> list[Step]:
    """The requests, in order; always the same."""
    return [replace(_step(number), tenant=_TENANTS[number % 3 // 2]) for number in range(_ROUND * len(_BROKEN))]


def sound_steps() -> list[Step]:
    """The requests that end well; always the same."""
    return [step for step in steps() if not step.broken]


def _step(number: int) -> Step:
    round_, place = divmod(number, _ROUND)
    if place == _ROUND - 1:
        return _BROKEN[round_]
    if number in _LOOKUPS:
        return Step("/models/gpt-5-mini")
    return Step("/chat", _QUESTIONS[number % len(_QUESTIONS)], streamed=place % 3 == 1)


async def drive(url: str, wanted: Sequence[Step], *, finished: Callable[[], object]) -> list[str]:
    """Send the requests to the service at ``url``; ``finished`` is called after each.

    Returns:
        what did not end as it should, in words.
    """
    waiting = iter(wanted)
    surprises: list[str] = []

    async def work(client: httpx.AsyncClient) -> None:
        for step in waiting:
            status = await _send(client, step)
            if status != step.status:
                surprises.append(f"{step.path} {step.question or ''}: got status {status}, expected {step.status}")
            finished()

    # What the user's shell says about proxies is not for loopback.
    async with (
        httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(_CONCURRENCY):
            group.create_task(work(client))
    return surprises


async def _send(client: httpx.AsyncClient, step: Step) -> int:
    headers = {"X-Tenant-ID": step.tenant}
    try:
        if step.question is None:
            return (await client.get(step.path, headers=headers)).status_code
        body = {"text": step.question, "stream": step.streamed}
        return (await client.post(step.path, headers=headers, json=body)).status_code
    except httpx.RemoteProtocolError:
        return BROKE_OFF
