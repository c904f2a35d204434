"""Who may talk to the local servers: programs on this machine, and the one browser that has the token.

Binding to loopback keeps other machines out; it does not keep out the web pages that this
machine's browser visits.  Those are told apart by what a browser cannot hide: the ``Host`` it
was led to (DNS rebinding), the ``Origin`` it comes from, and the token it does not know.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback_origin(origin: str) -> bool:
    """Whether a browser's ``Origin`` is a page of this machine."""
    scheme, _, host = origin.partition("://")
    return scheme in {"http", "https"} and _LOOPBACK.fullmatch(host) is not None


class PageAccess:
    """ASGI middleware of the page: host, origin and token checks, and the headers of every answer.

    Args:
        app: what is protected.
        token: the secret that the opened address carries as ``?token=``; programs send it as a bearer token.
        cookie: name of the cookie that remembers it; one a port, because browsers share cookies among ports.
        refusal: makes the page that a browser without the token sees.
    """

    def __init__(self, app: ASGIApp, *, token: str, cookie: str, refusal: Callable[[], Response]) -> None:
        self.app = app
        self.token = token
        self.cookie = cookie
        self.refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        answer = self._refuse_stranger(request) or self._exchange_token(request) or self._ask_for_token(request)
        await (answer or self.app)(scope, receive, _with_headers(send))

    def _refuse_stranger(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if _LOOPBACK.fullmatch(host) is None:
            return PlainTextResponse(f"host {host!r} is not this machine\n", 421)
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("other origins may not ask\n", 403)
        if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"} and not _is_navigation(request):
            return PlainTextResponse("other sites may not ask\n", 403)
        return None

    def _exchange_token(self, request: Request) -> Response | None:
        """The opened address carries the token once; the cookie takes over and the address bar forgets it."""
        if request.method != "GET" or not self._is_token(request.query_params.get("token", "")):
            return None
        rest = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "token"])
        path = "/" + request.url.path.lstrip("/")  # never "//host": that would lead elsewhere
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return answer

    def _ask_for_token(self, request: Request) -> Response | None:
        if request.url.path.startswith("/static/"):
            return None  # the same in every installation, and the refusal needs its style
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(bearer.strip()):
            return None
        if self._is_token(request.cookies.get(self.cookie, "")):
            return None
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": "send the token as: Authorization: Bearer …"}, 401)
        return self.refusal()

    def _is_token(self, candidate: str) -> bool:
        return secrets.compare_digest(candidate.encode(), self.token.encode())


def _is_navigation(request: Request) -> bool:
    """A followed link, which shows the page to its user and nothing to the site it came from."""
    return request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {key.lower() for key, _ in message["headers"]}
            extra = [(key.lower().encode(), value.encode()) for key, value in _HEADERS.items()]
            message["headers"] = [*message["headers"], *(item for item in extra if item[0] not in present)]
        await send(message)

    return send_with_headers
