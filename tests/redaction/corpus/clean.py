"""Texts without secrets that look as if they had some; the same on each run."""

from __future__ import annotations

import argparse
import asyncio.streams
import base64
import ftplib
import getpass
import http.client
import imaplib
import inspect
import json.decoder
import random
import secrets
import smtplib
import tokenize
import urllib.request
import uuid

EACH = 400
PROSE = """
The release went out on Tuesday and nobody noticed, which is the best that can be said of a release.
We moved the queue behind the router; latency fell from 120 ms to 85 ms at the 99th percentile.
Please reset your password if you cannot sign in. The password must be at least twelve characters long.
A token is a unit of text; this model reads 128,000 tokens and writes up to 16,384 tokens.
The secret of a good soup is patience, and the key to patience is a second soup.
Bearer tokens are sent in a header; basic authentication is sent the same way, and both need TLS.
Chapter 12, pages 201-245, was translated in 1998 and reprinted in 2004, 2011 and 2019.
Call the function twice: once with max_tokens=256, once with max_tokens=1024, and compare.
The task-force for next-generation risk-assessment met on 2026-03-14 at 10:30 in room 4.12.
Prices rose from $1,299.00 to $1,349.99, a change of 3.92 %, between Q1 2025 and Q4 2025.
See section 3.2.1 of RFC 9110, or https://www.rfc-editor.org/rfc/rfc9110.html#section-3.2.1 for details.
The cookie jar is empty. The cookies were eaten. Nobody has credentials for the kitchen.
Order 4711 shipped in 3 boxes of 24, each 40 x 30 x 20 cm, 12.5 kg in all.
Access keys rotate every 90 days; the signing key rotates every year, on the first of June.
Mention @maintainers in the pull request, or write to the list; use git@github.com:org/repo.git to clone.
The password field is required. Password: required. Token: expired. Secret: none.
""".strip().splitlines()
MODULES = (
    argparse,
    asyncio.streams,
    ftplib,
    getpass,
    http.client,
    imaplib,
    inspect,
    json.decoder,
    secrets,
    smtplib,
    tokenize,
    urllib.request,
)


def hexadecimal(rng: random.Random, length: int) -> str:
    """A digest or id."""
    return f"{rng.getrandbits(4 * length):0{length}x}"


def _log(rng: random.Random) -> str:
    return (
        f"2026-11-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(10**6):06}Z"
        f" INFO trace_id={hexadecimal(rng, 32)} span_id={hexadecimal(rng, 16)} pid={rng.randrange(1, 99999)}"
        f" 10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)} GET /v1/items/{rng.randrange(10**6)}?page={rng.randrange(9)} 200 {rng.random():.6f}"
    )


def _isbn(rng: random.Random) -> str:
    body = f"978{rng.randrange(10**9):09}"
    check = -sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(body)) % 10
    return f"ISBN {body[:3]}-{body[3]}-{body[4:8]}-{body[8:]}-{check}"


MADE = {
    "logs": _log,
    "uuids": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "digests": lambda r: hexadecimal(r, r.choice([32, 40, 64, 128])),
    "trace contexts": lambda r: f"traceparent: 00-{hexadecimal(r, 32)}-{hexadecimal(r, 16)}-01",
    "timestamps": lambda r: r.choice([str(1_700_000_000_000_000_000 + r.randrange(10**17)), str(1_700_000_000_000 + r.randrange(10**11)), f"{r.random() * 1e9:.9f}"]),
    "isbns": _isbn,
    "prices": lambda r: f"EUR {r.randrange(10**7) / 100:,.2f} for {r.randrange(1000)} pieces, VAT {r.randrange(25)} %",
    "versions": lambda r: f"torch=={r.randrange(3)}.{r.randrange(20)}.{r.randrange(9)}+cu12{r.randrange(9)} from 10.0.{r.randrange(256)}.{r.randrange(256)}:{r.randrange(65536)}",
    "blobs": lambda r: base64.b64encode(r.randbytes(r.randrange(30, 200))).decode(),
    "usage": lambda r: f'{{"input_tokens": {r.randrange(10**6)}, "output_tokens": {r.randrange(10**4)}, "token_count": {r.randrange(10**8)}}}',
    "kebab": lambda r: "-".join(r.choice(["task", "risk", "desk", "api", "v2", "rollout", "prod", "2026", "eu1", "next", "generation"]) for _ in range(7)),
    "coordinates": lambda r: f"{r.uniform(-90, 90):.15f},{r.uniform(-180, 180):.15f}",
}  # fmt: skip


def texts() -> dict[str, list[str]]:
    """Clean texts by kind."""
    rng = random.Random(11221122)
    code = [line.strip() for module in MODULES for line in inspect.getsource(module).splitlines() if line.strip()]
    return {"prose": PROSE, "code": code} | {name: [make(rng) for _ in range(EACH)] for name, make in MADE.items()}
