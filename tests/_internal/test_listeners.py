from __future__ import annotations

import socket

from aumos_otel._internal import listeners


def test_owner_of_a_port_is_named():
    """On Linux the process that listens is named by its id; a free port has none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        owner = listeners.owner_of(port)

    assert owner.startswith("pid ")
    assert listeners.owner_of(port) is None
