"""The words that options take."""

from __future__ import annotations

from typing import Literal

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "metrics", "logs")
Protocol = Literal["http/protobuf", "http/json", "grpc"]
Content = Literal["none", "hash", "redacted", "full"]
Action = Literal["keep", "mask", "hash", "drop"]
Capture = Literal["span", "event", "both"]
Profile = Literal["1.37", "genai-0.1", "dup"]
