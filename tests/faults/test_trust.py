"""Names that are not found and certificates that are not good (row 7)."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import TLS, OTLPSink, reset

from .accounts import agree, book, lost, settled, work

PAST = datetime(2020, 1, 1, tzinfo=UTC)


def start(endpoint: str, **options: object) -> Telemetry:
    """Traces alone."""
    otlp = OTLP(endpoint=endpoint, **options)
    return configure(destinations=[otlp], metrics=False, logs=False, handle_signals=False)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said to the person who runs the service."""
    return [record.getMessage() for record in caplog.records if record.name == "aumos_otel"]


def certificate(authority: trustme.CA, folder: Path, **about: object) -> TLS:
    """The files of a receiver at 127.0.0.1."""
    issued = authority.issue_cert("127.0.0.1", **about)
    key, chain = folder / "key.pem", folder / "chain.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(chain)
    return TLS(key, chain)


def test_a_name_that_is_not_found(
    sink: OTLPSink, impatient: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so, however often it is tried; when the name is there, all arrives."""
    real, known = socket.getaddrinfo, []

    def resolve(host: str, port: int, **more: object) -> object:
        if host != "collector.internal":
            return real(host, port, **more)
        if not known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real("127.0.0.1", port, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    telemetry = start(f"http://collector.internal:{sink.port}")
    with caplog.at_level(logging.WARNING):
        work(10)
        settled(telemetry, lambda now: now["retries"] >= 5)
    (line,) = told(caplog)
    assert "collector.internal" in line
    assert "the name is not resolved" in line
    assert "\n" not in line

    known.append(True)

    assert telemetry.force_flush(20)
    assert book(telemetry)["delivered"] == 10
    agree(book(telemetry), sink)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_expired_certificate(
    protocol: str, impatient: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says so; when the receiver has a new certificate, all arrives without a restart."""
    authority, files = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(files)
    expired = certificate(authority, tmp_path, not_after=PAST)
    with OTLPSink(protocol=protocol, tls=expired) as sink:
        telemetry = start(sink.url, protocol="grpc" if protocol == "grpc" else None, certificate=str(files))
        with caplog.at_level(logging.WARNING):
            work(10)
            waiting = settled(telemetry, lambda now: now["retries"] >= 2)
        (line,) = told(caplog)
        assert "certificate" in line
        assert "expired" in line
        assert waiting["queued"] == 10

        fresh = tmp_path / "fresh"
        fresh.mkdir()
        sink.swap_certificate(certificate(authority, fresh))

        assert telemetry.force_flush(30)
        assert book(telemetry)["delivered"] == 10
        agree(book(telemetry), sink)
        reset()


def test_a_new_authority(impatient: None, tmp_path: Path) -> None:
    """The file of the authority is replaced while the service runs: the next connection believes the new one."""
    old, new, files = trustme.CA(), trustme.CA(), tmp_path / "ca.pem"
    old.cert_pem.write_to_path(files)
    with OTLPSink(tls=certificate(old, tmp_path)) as sink:
        telemetry = start(sink.url, certificate=str(files))
        work(10)
        assert telemetry.force_flush(20)
        sink.stop()
        fresh = tmp_path / "fresh"
        fresh.mkdir()
        sink.swap_certificate(certificate(new, fresh))
        sink.start()
        work(10)
        waiting = settled(telemetry, lambda now: now["retries"] >= 2)
        assert "not trusted" in waiting["last_error"]

        new.cert_pem.write_to_path(files)

        assert telemetry.force_flush(20)
        assert book(telemetry)["delivered"] == 20
        agree(book(telemetry), sink)
        reset()


def test_plain_text_where_tls_is_spoken(impatient: None, tmp_path: Path) -> None:
    """A receiver of TLS that is spoken to in plain text: nothing is delivered, and the books say so."""
    with OTLPSink(tls=certificate(trustme.CA(), tmp_path)) as sink:
        telemetry = start(sink.url.replace("https", "http"))
        work(10)
        told_us = settled(telemetry, lambda now: now["last_error"])
        assert (told_us["delivered"], told_us["emitted"]) == (0, 10)
        assert str(sink.port) in told_us["last_error"]
        telemetry.shutdown(1)
        done = book(telemetry)
        assert (done["delivered"], lost(done) + done["unconfirmed"]) == (0, 10)
