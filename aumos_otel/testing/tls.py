"""The certificate that a receiver shows, and whose certificates it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TLS:
    """PEM files of a receiver.

    Attributes:
        key: its private key.
        chain: its certificate, followed by those that signed it.
        client_ca: the authority whose certificate each client must show; None asks for none.
    """

    key: Path
    chain: Path
    client_ca: Path | None = None
