"""Certificates for the tests of the sink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from aumos_otel.testing import TLS


@pytest.fixture
def issue(tmp_path: Path) -> Callable[[str], tuple[TLS, Path]]:
    """Issues the files of a server at 127.0.0.1 by a new authority, which its clients have to trust."""

    def make(name: str, *, client_ca: Path | None = None) -> tuple[TLS, Path]:
        authority = trustme.CA()
        server = authority.issue_cert("127.0.0.1")
        files = {part: tmp_path / f"{name}-{part}.pem" for part in ("key", "chain", "ca")}
        server.private_key_pem.write_to_path(files["key"])
        server.cert_chain_pems[0].write_to_path(files["chain"])
        authority.cert_pem.write_to_path(files["ca"])
        return TLS(files["key"], files["chain"], client_ca=client_ca), files["ca"]

    return make
