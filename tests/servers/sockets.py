"""A listener on loopback that answers each request with given bytes, whatever they are."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Self

#: Seconds that a test waits before it fails.
PATIENCE = 20.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Listener:
    """Answers the first request with the first of ``answers``, the second with the second; the last is repeated.

    Args:
        answers: bytes; empty closes the connection instead; None reads nothing and never answers.
        host: loopback address.
        reads: False answers after the head of a request and closes.
        closes: closes the connection after each answer.
        endless: goes on with zeros after an answer, as long as somebody reads.
    """

    def __init__(
        self,
        *answers: bytes | None,
        host: str = "127.0.0.1",
        reads: bool = True,
        closes: bool = False,
        endless: bool = False,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, 0), family=family)
        self._answers = list(answers)
        self._reads, self._closes, self._endless = reads, closes, endless
        self._threads = [threading.Thread(target=self._accept, name="listener")]
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self.port = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self.accepted = self.sent = 0
        #: The head and body of each request.
        self.received: list[bytes] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.refuse()
        for opened in list(self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def refuse(self) -> None:
        """Accept no further connection."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._socket.close()

    def wait_for_end(self) -> None:
        """Wait until a connection has ended."""
        assert self._ended.wait(PATIENCE), "the connection is still open"

    def _accept(self) -> None:
        while True:
            try:
                opened, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(opened)
            thread = threading.Thread(target=self._serve, args=(opened,), name="listener")
            self._threads.append(thread)
            thread.start()

    def _serve(self, opened: socket.socket) -> None:
        with contextlib.suppress(OSError), opened:
            while self._answer(opened):
                pass
        self._ended.set()

    def _answer(self, opened: socket.socket) -> bool:
        answer = self._answers[min(len(self.received), len(self._answers) - 1)]
        if answer is None:
            threading.Event().wait(1.0)
            return False
        data = b""
        while b"\r\n\r\n" not in data:
            piece = opened.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        while self._reads and found and len(body) < int(found[1]):
            body += opened.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        opened.sendall(answer)
        self.sent += len(answer)
        while self._endless:
            self.sent += opened.send(bytes(65536))
        return bool(answer) and self._reads and not self._closes
