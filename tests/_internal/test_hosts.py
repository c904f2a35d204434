"""Lists of hosts: what they name, and what they must not."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aumos_otel._internal.hosts import Hosts, patterns

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("pattern", "host", "named"),
    [
        ("localhost", "localhost", True),
        ("localhost", "LocalHost.", True),
        ("localhost", "localhost.evil.example", False),
        ("localhost", "evil-localhost", False),
        ("*.svc", "orders.shop.svc", True),
        ("*.svc", "svc", False),
        ("*.svc", ".svc", False),
        ("*.svc", "orders.svc.evil.example", False),
        ("*.svc", "orderssvc", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "10.evil.example", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("fd00::/8", "[fd12::1]", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("127.0.0.1", "127.1", False),
        ("*", "anything.example", True),
        ("*", "", True),
        ("*.svc", "", False),
        ("localhost", "user@localhost", False),
    ],
)
def test_membership(pattern: str, host: str, named: bool) -> None:
    """A pattern names the hosts that a careful reader would think it names."""
    assert (host in Hosts(patterns([pattern]))) is named


@pytest.mark.parametrize(
    "value", ["10.0.*", "a*b", "*svc", "*.", "*..", "host:80", "a/b", "10.0.0.0/64", "two words", [""], 7, [7]]
)
def test_what_is_no_pattern(value: object) -> None:
    """A pattern that would name more or less than it seems to is refused."""
    with pytest.raises(ValueError, match="a list of"):
        patterns(value)


@given(NAMES, NAMES)
def test_a_name_is_itself_only(name: str, other: str) -> None:
    """A plain name takes itself, however it is written, and no other name."""
    assume(name != other)
    listed = Hosts((name,))

    assert name.upper() in listed
    assert (other in listed) is _same_address(name, other)


@given(NAMES, NAMES)
def test_a_suffix_is_a_border_of_labels(prefix: str, suffix: str) -> None:
    """``*.suffix`` takes what has whole labels in front of the suffix, and not what merely ends like it."""
    assume(not _is_address(f"{prefix}.{suffix}"))
    listed = Hosts(patterns([f"*.{suffix}"]))

    assert f"{prefix}.{suffix}" in listed
    assert f"{prefix}.{suffix}.{prefix}x" not in listed or f"{prefix}x".endswith(f".{suffix}")
    assert suffix not in listed


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_a_network_is_arithmetic(base: ipaddress.IPv4Address, bits: int, host: ipaddress.IPv4Address) -> None:
    """A network takes exactly the addresses that share its prefix, also inside IPv6."""
    listed = Hosts(patterns([f"{base}/{bits}"]))
    inside = int(base) >> (32 - bits) == int(host) >> (32 - bits)

    assert (str(host) in listed) is inside
    assert (f"::ffff:{host}" in listed) is inside
    assert f"{host}.evil.example" not in listed


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _same_address(one: str, other: str) -> bool:
    return _is_address(one) and _is_address(other) and ipaddress.ip_address(one) == ipaddress.ip_address(other)
