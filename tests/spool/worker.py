"""Processes for the kill and adoption tests: `worker.py append ROOT` and `worker.py adopt ROOT OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from aumos_otel.config import SpoolOptions
from aumos_otel.spool.spool import Spool


def open_spool(root: str) -> Spool:
    """The same spool for every process."""
    options = SpoolOptions(directory=root, max_bytes=64 * 1024 * 1024, min_free=0).resolve({}, {}, {})
    return Spool(options, "shop", "otlp", "traces", lost=lambda reason, count: print("lost", reason, count, flush=True))


def append(root: str) -> None:
    """Append numbered requests until killed; a number is printed once the request was taken."""
    spool = open_spool(root)
    for number in range(1_000_000):
        body = number.to_bytes(8, "big") * (1 + number * 7919 % 4000)
        if not spool.append(body, 1):
            print("refused", spool.trouble, flush=True)
        print(number, flush=True)


def adopt(root: str, out: str) -> None:
    """Wait for the word, adopt, and write down every request that was handed out."""
    spool = open_spool(root)
    print("ready", flush=True)
    sys.stdin.readline()
    with Path(out).open("w", encoding="ascii") as file:
        for _ in range(20):
            spool.adopt()
            while (frame := spool.next()) is not None:
                print(int.from_bytes(frame.body[:8], "big"), file=file)
                spool.done(frame)
    spool.close()


if __name__ == "__main__":
    {"append": append, "adopt": adopt}[sys.argv[1]](*sys.argv[2:])
