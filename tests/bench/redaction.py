"""What redaction costs: milliseconds per pattern on 1 MB made to be hard for it, microseconds on clean spans.

Run ``python tests/bench/redaction.py``; times are of the processor.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable, Iterator

from aumos_otel.config import RedactionOptions
from aumos_otel.redaction import lint
from aumos_otel.redaction.detector import Detector
from aumos_otel.redaction.detectors import DETECTORS
from aumos_otel.redaction.policy import Redactor
from aumos_otel.redaction.scan import Budget, OverBudgetError, Scanner

MEGABYTE = 1_000_000
NEVER = float("inf")
SPAN = {
    "http.request.method": "POST",
    "http.route": "/v1/tenants/{tenant}/chats/{chat}",
    "url.path": "/v1/tenants/t-1/chats/{}",
    "server.address": "chat-api.svc.cluster.local",
    "gen_ai.request.model": "gpt-5-mini-2025-08-07",
}
PROSE = "The queue moved behind the router: latency fell from 120 ms to 85 ms (p99), which was well-received. "


def seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """The best processor time of several."""
    best = NEVER
    for _ in range(rounds):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best


def adversaries(detector: Detector, size: int = MEGABYTE) -> Iterator[tuple[str, str]]:
    """Texts that are hard for a detector: its guard is there, and what it wants is there over and over."""
    guards = detector.guard or ("",)
    example = "".join(lint.witnesses(detector.pattern))
    units = dict.fromkeys(unit for unit, _ in lint.adversaries(detector.pattern))
    units |= dict.fromkeys(
        [*(guard for guard in guards if guard), *(guard + " " for guard in guards), example[:-1] + " "]
    )
    for guard in guards:
        units |= dict.fromkeys([f"{guard}a=", f'{guard}="', f"{guard}\\", f"{guard}{example[:12]}"] if guard else [])
    for unit in units:
        yield unit, guards[0] + (unit * (size // len(unit) + 1))[:size]
    yield "a…!", guards[0] + "a" * size + "!"
    noise = random.Random(7)
    yield "noise", guards[0] + "".join(noise.choices(example + "0a. ", k=size))


def scan_seconds(detector: Detector, text: str, rounds: int) -> float:
    """Processor seconds for one detector on one text."""
    scanner = Scanner([detector], re.compile(r"\[REDACTED\]"))

    def scan() -> None:
        with contextlib.suppress(OverBudgetError):  # it fails closed; the time until then counts
            scanner.findings(text, scanner.candidates(text), Budget(NEVER))

    return seconds(scan, rounds)


def worst(detector: Detector) -> tuple[float, str]:
    """Seconds for the hardest megabyte, and what it was made of."""
    return max((scan_seconds(detector, text, 2), unit) for unit, text in adversaries(detector))


def per_span(redactor: Redactor, *, fresh: bool) -> float:
    """Microseconds for five clean attributes; with ``fresh`` one of them was never seen before."""
    count = 5000

    def spans() -> None:
        for number in range(count):
            for key, value in SPAN.items():
                redactor.value(key, value.replace("{}", str(number)) if fresh else value)

    return seconds(spans) / count * 1e6


def per_text(redactor: Redactor, length: int) -> float:
    """Microseconds for one clean text of ``length`` characters."""
    text = (PROSE * (length // len(PROSE) + 1))[:length]
    count = max(1, 2_000_000 // length)
    return seconds(lambda: [redactor.text("log.body", text) for _ in range(count)]) / count * 1e6


def main() -> None:
    """Print both tables."""
    print(f"{'detector':<24}{'ms per MB, at worst':>20}  on")
    for detector in DETECTORS:
        took, unit = worst(detector)
        print(f"{detector.name:<24}{took * 1000:>20.1f}  {unit[:40]!r}")
    for title, options in {
        "secrets": {},
        "secrets, personal": {"personal": "mask"},
        "all": {"personal": "mask", "national_ids": "mask"},
    }.items():
        redactor = Redactor(RedactionOptions(**options).resolve({}, {}, {}))
        known, fresh = per_span(redactor, fresh=False), per_span(redactor, fresh=True)
        print(f"\n{title}: a span of 5 clean attributes {known:.1f} us; {fresh:.1f} us with a value not seen before")
        print(
            f"{title}: clean prose "
            + ", ".join(f"{length} characters {per_text(redactor, length):.0f} us" for length in (500, 5000, 50_000))
        )


if __name__ == "__main__":
    main()
