"""The proxy that the environment names: http_proxy, https_proxy, all_proxy and no_proxy."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; ``header_lines`` are what it wants to see beside the request's own."""

    host: str
    port: int
    header_lines: tuple[str, ...] = ()


def find(host: str, port: int, *, tls: bool) -> Proxy | None:
    """The proxy on the way to ``host``, None when there is none.

    Raises:
        ValueError: the variable names something that is no HTTP proxy.
    """
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - costs more than the rest of the transport

    proxies = getproxies()
    url = proxies.get("https" if tls else "http") or proxies.get("all")
    if not url or proxy_bypass(host) or proxy_bypass(f"{host}:{port}") or _in_network(host, proxies.get("no", "")):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"a proxy of the kind {parts.scheme}:// is not supported; name one with http://")
    lines: tuple[str, ...] = ()
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines = (f"proxy-authorization: Basic {b64encode(credentials.encode()).decode()}",)
    return Proxy(parts.hostname, parts.port or 80, lines)


def _in_network(host: str, no_proxy: str) -> bool:
    """Whether ``no_proxy`` has a network like 10.0.0.0/8 that the address ``host`` is in."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        for name in no_proxy.split(","):
            with suppress(ValueError):
                if "/" in name and address in ipaddress.ip_network(name.strip(), strict=False):
                    return True
    return False
