"""Lists of hosts, as options name them: ``api.example``, ``*.svc``, ``10.0.0.0/8``, ``*``."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, Final

from aumos_otel._internal.values import names

if TYPE_CHECKING:
    from collections.abc import Iterable

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME: Final = re.compile(r"(?:\*\.)?[^\s*/:@\[\].][^\s*/:@\[\]]*")


def patterns(value: Any) -> tuple[str, ...]:
    """A list of hosts: names, ``*.suffix``, addresses, networks, or ``*`` for all."""
    found = [word.strip().lower() for word in names(value)]
    for word in found:
        if word != "*" and _network(word) is None and not _NAME.fullmatch(word):
            raise ValueError("a list of hosts, each a name, *.suffix, an address, a network such as 10.0.0.0/8, or *")
    return tuple(word.rstrip(".") for word in found)


class Hosts:
    """The hosts that a list of patterns names.

    ``*.suffix`` takes every name below the suffix and not the suffix itself.  An address is
    compared as the number that it is, however it is spelled; what is neither a name nor an
    address, and the unknown host, belong only to ``*``.

    Args:
        patterns: what `patterns` has let pass.

    >>> hosts = Hosts(("*.svc", "10.0.0.0/8"))
    >>> "orders.shop.svc" in hosts, "10.1.2.3" in hosts, "svc.evil.example" in hosts
    (True, True, False)
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        words = tuple(patterns)
        self.everyone = "*" in words
        self._networks = [network for network in map(_network, words) if network is not None]
        self._names = frozenset(word for word in words if not word.startswith("*"))
        self._suffixes = tuple(word[1:] for word in words if word.startswith("*."))

    def __contains__(self, host: str) -> bool:
        if self.everyone:
            return True
        host = host.strip("[]").lower().rstrip(".")
        if not host:
            return False
        address = _address(host)
        if address is not None:
            return any(address in network for network in self._networks)
        return host in self._names or (host.endswith(self._suffixes) and not host.startswith("."))


def _address(host: str) -> Address | None:
    """The address that a host is; an IPv4 address inside an IPv6 one is the former."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(word: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(word.strip("[]"), strict=False)
    except ValueError:
        return None
