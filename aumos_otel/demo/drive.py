"""The traffic of the demo: sixty requests of two tenants, twenty streamed, six made to break."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Requests under way at once.
_CONCURRENCY: Final = 6
#: Seconds that one request may take.
_TIMEOUT: Final = 30.0
_REQUESTS: Final = 60
_TENANTS: Final = ("acme", "globex")
