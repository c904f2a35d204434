"""What the spool costs: `python spool.py [DIRECTORY]` prints microseconds a request and bytes a second, as JSON."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from aumos_otel.config import SpoolOptions
from aumos_otel.spool.audit import AuditLog
from aumos_otel.spool.spool import Spool

BODY = os.urandom(60_000)  # about 512 spans, gzip having no say in it
REQUESTS = 2000


def spool(root: str, fsync: str) -> Spool:
    """A spool that has room for all requests."""
    options = SpoolOptions(directory=root, max_bytes=2**30, min_free=1024, fsync=fsync).resolve({}, {}, {})
    return Spool(options, "bench", "otlp", "traces", lost=lambda *_: None)


def timed(work, requests: int, size: int = len(BODY)) -> dict[str, float]:
    """Median and 99th percentile of a call, and the throughput of all calls."""
    durations = []
    for _ in range(requests):
        before = time.perf_counter()
        assert work()
        durations.append(time.perf_counter() - before)
    return {
        "us_median": round(statistics.median(durations) * 1e6, 1),
        "us_p99": round(statistics.quantiles(durations, n=100)[98] * 1e6, 1),
        "mb_per_s": round(size * requests / sum(durations) / 1e6, 1),
    }


def measure(root: str) -> dict[str, dict[str, float]]:
    """Every figure."""
    figures = {}
    for fsync, requests in (("interval", REQUESTS), ("each", REQUESTS // 10)):
        kept = spool(f"{root}/{fsync}", fsync)
        figures[f"append, fsync={fsync}"] = timed(lambda kept=kept: kept.append(BODY, 512), requests)
        if fsync == "interval":
            kept.after_fork()  # as if killed
            kept = spool(f"{root}/{fsync}", fsync)
            before = time.perf_counter()
            assert kept.adopt() == requests * 512
            figures["adopt"] = {"ms": round((time.perf_counter() - before) * 1e3, 1), "requests": requests}
        figures[f"next and done, fsync={fsync}"] = timed(lambda kept=kept: take(kept), requests)
        kept.close()
    steady = spool(f"{root}/steady", "interval")
    figures["append, next and done"] = timed(lambda: steady.append(BODY, 512) and take(steady), REQUESTS)
    steady.close()
    log = AuditLog(Path(root) / "audit")
    figures["audit append, 1 KB"] = timed(lambda: log.append(BODY[:1000]), REQUESTS // 10, 1000)
    log.close()
    return figures


def take(kept: Spool) -> bool:
    """Hand out one request and finish it."""
    frame = kept.next()
    if frame is not None:
        kept.done(frame)
    return frame is not None


if __name__ == "__main__":
    place = tempfile.mkdtemp(dir=sys.argv[1] if len(sys.argv) > 1 else None)
    try:
        print(json.dumps(measure(place), indent=2))
    finally:
        shutil.rmtree(place)
