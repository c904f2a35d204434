"""One line for a person: cause, host, and what to do."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest

from aumos_otel.delivery import diagnosis

PEER = "collector:4318"


def verification(code: int) -> ssl.SSLCertVerificationError:
    """A certificate that OpenSSL does not accept."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "the words of OpenSSL"
    return error


def tls(reason: str | None) -> ssl.SSLError:
    """A handshake that failed."""
    error = ssl.SSLError(1, "it failed")
    if reason is not None:
        error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (verification(9), "not valid yet"),
        (verification(10), "has expired"),
        (verification(18), "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        (verification(20), "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        (verification(62), "for another name"),
        (verification(23), "the words of OpenSSL"),
        (tls("WRONG_VERSION_NUMBER"), "does not speak TLS"),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
        (tls("UNSUPPORTED_PROTOCOL"), "TLS failed (UNSUPPORTED_PROTOCOL)"),
        (tls(None), "TLS failed (it failed)"),
        (socket.gaierror(-2, "Name or service not known"), "not resolved (Name or service not known)"),
        (ConnectionRefusedError(), "connection refused"),
        (TimeoutError(), "no connection in time"),
        (OSError(113, "No route to host"), "no connection (No route to host)"),
        (ValueError("two\nlines"), "no connection (two)"),
        (OSError(), "no connection (OSError)"),
    ],
)
def test_no_connection(error: Exception, words: str) -> None:
    """Each cause has its words, after the host; the line is one."""
    line = diagnosis.connecting(error, PEER)

    assert line.startswith(f"{PEER}: ")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("error", "sent", "words"),
    [
        (TimeoutError(), True, "no answer in time"),
        (TimeoutError(), False, "the request could not be sent in time"),
        (ConnectionResetError(), True, "no answer; the connection was closed"),
        (BrokenPipeError(), False, "the request could not be sent; the connection was closed"),
        (tls("DECRYPTION_FAILED"), True, "TLS failed (DECRYPTION_FAILED)"),
        (OSError(5, "Input/output error"), True, "no answer (Input/output error)"),
        (http.client.BadStatusLine("x"), True, "not HTTP/1.1 (BadStatusLine)"),
    ],
)
def test_no_answer(error: Exception, sent: bool, words: str) -> None:
    """What became of the request is told with the cause."""
    line = diagnosis.waiting(error, PEER, sent=sent)

    assert line.startswith(f"{PEER}: ")
    assert words in line
