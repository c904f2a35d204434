"""The spool of one signal to one destination: what a process could not send, it or another sends later.

``append`` and ``next`` may be called by two threads.  What ``append`` took is delivered at least once,
unless it is dropped for a reason that is told: the spool is full, too old, or the disk damaged it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aumos_otel.errors import ConfigError
from aumos_otel.semconv import attributes
from aumos_otel.spool import directory as places
from aumos_otel.spool import requests, rewrite, segment
from aumos_otel.spool.holding import Holding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aumos_otel.config import SpoolOptions
    from aumos_otel.spool.holding import Found, Lost, Segment
    from aumos_otel.spool.subject import Redacted

#: Bytes of one segment; a smaller spool has smaller ones, so that dropping the oldest drops a small part.
SEGMENT_BYTES: Final = 4 * 1024 * 1024
_LEAST_SEGMENTS: Final = 8
#: Seconds between two syncs, with ``fsync="interval"``.
SYNC_INTERVAL: Final = 1.0
#: Directories of ended processes that are held at a time; each costs a descriptor.
ADOPTED_AT_ONCE: Final = 32
#: Age in seconds from which a frame is a backlog, to be drained with a rate.
BACKLOG_AGE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One request that was kept.

    Attributes:
        body: the serialized request.
        count: records in it.
        created_ns: when it was kept, nanoseconds since the epoch.
        adopted: whether another process kept it.
        token: where it lies; for `Spool.done`.
    """

    body: bytes = field(repr=False)
    count: int
    created_ns: int
    adopted: bool
    token: tuple[Holding, Segment, int] = field(repr=False, compare=False)


class Spool:
    """Requests of one signal to one destination, on disk.

    Args:
        options: bounds and place.
        service: name of the service; processes of one service adopt each other's requests.
        destination: name of the destination.
        signal: ``traces``, ``metrics`` or ``logs``.
        lost: told the reason and the number of records that are gone; called without a lock held.
        redacted: what redaction leaves of a tenant or a user, so that erasure finds them.
        now_ns: the wall clock, in nanoseconds since the epoch: ages outlive a process.
    """

    def __init__(
        self,
        options: SpoolOptions,
        service: str,
        destination: str,
        signal: str,
        *,
        lost: Lost,
        redacted: Redacted | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._options = options
        self._root = Path(options.directory) if options.directory else places.default_root()
        self._place = places.place(self._root, service, destination, signal)
        self._signal = signal
        self._tell = lost
        self._redacted = redacted
        self._now_ns = now_ns
        self._segment_bytes = min(SEGMENT_BYTES, options.max_bytes // _LEAST_SEGMENTS)
        self._start_over()

    def _start_over(self) -> None:
        self._lock = threading.Lock()
        self._own: Holding | None = None
        self._adopted: list[Holding] = []
        self._losses: list[tuple[str, int]] = []
        self._finished: list[int] = []
        self._dirty = False
        self._synced = time.monotonic()
        self._not_before = 0.0
        self._closed = False
        #: Records that were taken over from ended processes.
        self.adopted = 0
        #: Files of ended processes that are of a newer format; they were renamed and are left alone.
        self.set_aside = 0
        #: Requests that were not taken, and why the last was not: one line for a person.
        self.refused = 0
        self.trouble = ""

    def append(self, body: bytes, count: int) -> bool:
        """Keep a request with ``count`` records; False if it was not taken, see `trouble`.  Never raises for the disk."""
        frame = segment.frame(self._signal, body, count, self._now_ns())
        try:
            with self._lock:
                if self._closed:
                    return False
                self._append(frame, count)
        except (OSError, ConfigError) as error:
            self.refused += 1
            self.trouble = f"{type(error).__name__}: {error}"
            return False
        finally:
            self._report()
        self._sync()
        return True

    def _append(self, frame: bytes, count: int) -> None:
        own = self._own
        if own is not None and own.is_gone():
            own.abandon()
            own = self._own = None
        if own is None:
            places.prepare_root(self._root)
            own = self._own = Holding(places.Directory.create(self._place), self._lose)
        if not own.has_room(len(frame), self._segment_bytes):
            finished = own.finish()
            if finished is not None:
                self._finished.append(finished)
        self._make_room(own, len(frame) + segment.FIRST)
        own.append(frame, count)
        self._dirty = True

    def _make_room(self, own: Holding, size: int) -> None:
        limit = self._options.max_bytes
        if size > limit:
            raise OSError(f"a request of {size} bytes in a spool of {limit}")
        holdings = [*self._adopted, own]
        while sum(holding.size for holding in holdings) + size > limit:
            if not any(holding.drop_oldest() for holding in holdings):
                raise OSError(f"the spool's {limit} bytes are underway")
        if self._options.min_free:
            disk = os.statvfs(own.directory.path)
            if disk.f_bavail * disk.f_frsize - size < self._options.min_free:
                raise OSError(f"fewer than {self._options.min_free} bytes would be free on the disk")

    def next(self) -> Frame | None:
        """The oldest request that was not handed out yet, those of ended processes first; None if there is none."""
        frame = None
        with self._lock, self._noting():
            if not self._closed and self.wait_seconds() <= 0:
                frame = self._next()
        self._report()
        self._sync()
        return frame

    def _next(self) -> Frame | None:
        now = self._now_ns()
        for holding in self._holdings():
            found = holding.next(self._oldest(now))
            if found is not None:
                self._pace(found, now, adopted=holding.adopted)
                token = (holding, found.segment, found.piece.start)
                return Frame(found.body, found.header.records, found.header.created_ns, holding.adopted, token)
        return None

    def _pace(self, found: Found, now_ns: int, *, adopted: bool) -> None:
        rate = self._options.drain_rate
        if rate and (adopted or now_ns - found.header.created_ns > BACKLOG_AGE * 1e9):
            self._not_before = time.monotonic() + 1 / rate

    def wait_seconds(self) -> float:
        """Seconds until `next` hands out a request again, while a backlog is drained with a rate."""
        return max(0.0, self._not_before - time.monotonic())

    def seconds_left(self, frame: Frame) -> float:
        """Seconds until the request is older than the spool keeps."""
        return (frame.created_ns - self._oldest(self._now_ns())) / 1e9

    def done(self, frame: Frame) -> None:
        """The request was delivered or given up: forget it."""
        holding, known, start = frame.token
        with self._lock:
            if holding is self._own or holding in self._adopted:
                holding.done(known, start)
                self._retire()

    def expire(self) -> None:
        """Drop what is older than the spool keeps."""
        with self._lock, self._noting():
            for holding in self._holdings():
                holding.expire(self._oldest(self._now_ns()))
            self._retire()
        self._report()
        self._sync()

    def adopt(self) -> int:
        """Take over what ended processes left.

        Returns:
            The number of records, which is added to `adopted`.  Those of them that are damaged are told as
            lost by the next call of `next` or `expire`.
        """
        total = 0
        try:
            places.check_root(self._root)
            for path in places.process_directories(self._place):
                with self._lock:
                    full = self._closed or len(self._adopted) >= ADOPTED_AT_ONCE
                    held = {holding.directory.path for holding in self._holdings()}
                if full:
                    break
                if path not in held:
                    total += self._adopt(path)
        except FileNotFoundError:
            pass  # nobody has written anything yet
        except (OSError, ConfigError) as error:
            self.trouble = f"{type(error).__name__}: {error}"
        return total

    def _adopt(self, path: Path) -> int:
        directory = places.Directory.claim(path)
        if directory is None:
            return 0
        losses: list[tuple[str, int]] = []
        holding = Holding(directory, lambda reason, count: losses.append((reason, count)), adopted=True)
        try:
            records = holding.load()
        except OSError as error:
            self.trouble = f"{type(error).__name__}: {error}"
            directory.release()
            return 0
        with self._lock:
            holding.lost = self._lose
            self._losses += losses
            self.adopted += records
            self.set_aside += len(holding.set_aside)
            self._adopted.append(holding)
            self._adopted.sort(key=lambda held: held.oldest_ns)
            self._retire()
        if holding.set_aside:
            self.trouble = f"{holding.set_aside[0]} is of a newer format and was left alone"
        return records

    def poll_requests(self) -> bool:
        """Erase what was asked for by ``aumos-otel erase``.

        Returns:
            True if records were removed.  Every frame that was handed out and is not done is void then: it
            has to be forgotten, and is handed out again without them.
        """
        with self._lock:
            holdings = list(self._holdings())
            removed = sum(self._erase_from(holding) for holding in holdings)
            self._retire()
        self._report()
        return removed > 0

    def _erase_from(self, holding: Holding) -> int:
        total = 0
        for request, subject in requests.pending(holding.directory.path):
            try:
                strip = functools.partial(subject.strip, self._signal, redacted=self._redacted)
                removed = rewrite.erase(holding, self._signal, strip)
                requests.answer(request, removed)
            except OSError as error:  # the request stays
                self.trouble = f"erasure: {type(error).__name__}: {error}"
                continue
            total += removed
        if total:
            self._lose(attributes.AUMOS_OTEL_REASON_FILTERED, total)
        return total

    def pending(self) -> tuple[int, int]:
        """Records that are neither done with nor lost, and the bytes that they take on disk."""
        with self._lock:
            holdings = list(self._holdings())
            return sum(holding.records for holding in holdings), sum(holding.waiting for holding in holdings)

    def close(self) -> None:
        """Write everything down and let go: what is left belongs to the next process, or to a sibling."""
        with self._lock:
            self._closed = True
            own = self._own
            finished = own.finish() if own is not None else None
            if finished is not None:
                self._finished.append(finished)
        self._sync()
        with self._lock:
            for holding in self._holdings():
                holding.close()
            self._own = None
            self._adopted.clear()
        self._report()

    def after_fork(self) -> None:
        """In a forked child: what is on disk is the parent's; the child begins with a directory of its own."""
        for holding in self._holdings():
            holding.forget()
        for descriptor in self._finished:
            os.close(descriptor)
        self._start_over()

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """A disk that refuses now may give later."""
        try:
            yield
        except OSError as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def _holdings(self) -> Iterator[Holding]:
        yield from self._adopted
        if self._own is not None:
            yield self._own

    def _oldest(self, now_ns: int) -> int:
        return now_ns - int(self._options.max_age * 1e9)

    def _retire(self) -> None:
        """Let go of adopted directories in which nothing is left."""
        for holding in [holding for holding in self._adopted if not holding.segments]:
            holding.close()
            self._adopted.remove(holding)

    def _lose(self, reason: str, count: int) -> None:
        if count:
            self._losses.append((reason, count))

    def _report(self) -> None:
        with self._lock:
            losses, self._losses = self._losses, []
        for reason, count in losses:
            self._tell(reason, count)

    def _sync(self) -> None:
        """Make what was written survive a power cut, as often as the options say."""
        with self._lock:
            descriptors, self._finished = self._finished, []
            now = time.monotonic()
            due = self._options.fsync == "each" or now - self._synced >= SYNC_INTERVAL
            if self._own is not None and self._dirty and due:
                active = self._own.active()
                descriptors += [] if active is None else [active]
                self._dirty, self._synced = False, now
            directory = self._own.directory if self._own is not None else None
        for descriptor in descriptors:
            try:
                os.fsync(descriptor)
            except OSError as error:
                self.trouble = f"fsync: {error}"
            finally:
                os.close(descriptor)
        if descriptors and directory is not None:
            with contextlib.suppress(OSError):
                directory.sync()
