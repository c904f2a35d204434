"""OTLP over a ``requests.Session`` that another package makes: its credential provider knows how to sign requests."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aumos_otel import guard
from aumos_otel.delivery.compression import compressor
from aumos_otel.delivery.connection import LONGEST_ANSWER, Answer
from aumos_otel.delivery.http import judge, request_headers, written
from aumos_otel.delivery.outcome import Outcome

if TYPE_CHECKING:
    from aumos_otel.delivery.target import Target


class SessionTransport:
    """One signal's way to an OTLP/HTTP receiver through somebody else's session.

    The session decides about proxies and how it connects.  Its time-outs count from byte to byte, so an
    answer that drips is left when the deadline has passed, not at it.

    Args:
        target: where to, with its options.
        session: a ``requests.Session``.
    """

    def __init__(self, target: Target, session: Any) -> None:
        self._requests = import_module("requests")
        self._session = session
        self._target = target
        self._compress = compressor(target.options["compression"])
        self._headers = request_headers(target)
        if target.options["compression"] != "none":
            self._headers["content-encoding"] = target.options["compression"]
        given = target.options
        client = tuple(given[name] for name in ("client_certificate", "client_key") if name in given)
        files = {"verify": given.get("certificate"), "cert": client or None}
        self._files = {name: value for name, value in files.items() if value is not None}

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Send one request; see `aumos_otel.delivery.outcome.Transport`."""
        with guard.swallow("delivery.session"):
            left = deadline - time.monotonic()
            if left <= 0:
                return Outcome("retry", message="no time left to send anything")
            try:
                return judge(
                    self._target.signal, self._post(self._compress(written(self._target, body)), left, deadline)
                )
            except self._requests.RequestException as error:
                host = urlsplit(self._target.url).netloc
                return Outcome(
                    "retry", message=f"{host}: {type(error).__name__}", ambiguous=self._may_have_arrived(error)
                )
        return Outcome("retry", message="an internal error of the session; see the log", ambiguous=True)

    def close(self) -> None:
        """Close the session's connections; the next `send` opens others."""
        with guard.swallow("delivery.session"):
            self._session.close()

    def _post(self, packed: bytes, left: float, deadline: float) -> Answer:
        with self._session.post(
            self._target.url,
            data=packed,
            headers=self._headers,
            timeout=left,
            allow_redirects=False,
            stream=True,
            **self._files,
        ) as response:
            body = bytearray()
            whole = True
            for byte in response.iter_content(1):  # a larger piece is waited for until it is full
                body += byte
                if len(body) == LONGEST_ANSWER or time.monotonic() > deadline:
                    whole = False
                    break
            return Answer(response.status_code, response.reason, response.headers, bytes(body), whole)

    def _may_have_arrived(self, error: Any) -> bool:
        """A connection that could not be made carries its reason inside; everything else happened later."""
        if isinstance(error, (self._requests.ConnectTimeout, self._requests.exceptions.SSLError)):
            return False
        inner = error.args[0] if error.args else None
        return getattr(inner, "reason", None) is None
