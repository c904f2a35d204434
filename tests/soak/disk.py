"""The small disk on which the spools lie, so that it can be filled."""

from __future__ import annotations

import contextlib
import errno
import subprocess
from pathlib import Path

#: Bytes of the disk.
SIZE = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class SmallDisk:
    """A tmpfs of its own where mounting one is permitted; else a directory, which cannot be filled.

    Attributes:
        spool: the directory for the spools.
        can_be_filled: whether it is a disk of its own.
        most: the highest number of bytes that the spools took so far.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self._place = place
        self._ballast = place / "ballast"
        self.spool = place / "spool"
        self.most = 0
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "soak", str(place)]
        self.can_be_filled = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def measure(self) -> int:
        """Bytes that the spools take now."""
        total = 0
        for path in self.spool.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # sent meanwhile
                total += path.stat().st_blocks * 512 if path.is_file() else 0
        self.most = max(self.most, total)
        return total

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as file:
            size = _CHUNK
            while size:
                try:
                    file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def free(self) -> None:
        """Have the room back."""
        self._ballast.unlink(missing_ok=True)

    def left(self) -> list[Path]:
        """Segments that nobody has sent."""
        return sorted(self.spool.rglob("*.seg*"))

    def close(self) -> None:
        """Give the disk back."""
        if self.can_be_filled:
            subprocess.run(["umount", str(self._place)], check=True)
            self.can_be_filled = False
            self._place.rmdir()
