"""Redaction: what must not leave is masked, hashed or dropped, in linear time, before anything is stored or sent."""

from __future__ import annotations

from .plain import DROP, Plain

__all__ = ["DROP", "Plain"]
