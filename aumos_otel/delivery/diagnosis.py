"""What went wrong on the network, in one line for a person: the cause, the host, and what to do."""

from __future__ import annotations

import socket
import ssl
from typing import Final

#: OpenSSL's numbers for what can be wrong with a certificate.
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_UNTRUSTED: Final = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME: Final = frozenset({62, 64})


def connecting(error: Exception, peer: str) -> str:
    """Why there is no connection to ``peer`` (``host:port``)."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, peer)
    if isinstance(error, ssl.SSLError):
        return _tls(error, peer)
    if isinstance(error, socket.gaierror):
        return f"{peer}: the name is not resolved ({error.strerror}); check the endpoint and the name server"
    if isinstance(error, ConnectionRefusedError):
        return f"{peer}: connection refused; is the collector running there?"
    if isinstance(error, TimeoutError):
        return f"{peer}: no connection in time; is the address right, and does a firewall let us through?"
    return f"{peer}: no connection ({_words(error)})"


def waiting(error: Exception, peer: str, *, sent: bool) -> str:
    """Why ``peer`` gave no answer to a request that was, or was not, ``sent`` completely."""
    what = "no answer" if sent else "the request could not be sent"
    if isinstance(error, TimeoutError):
        return f"{peer}: {what} in time"
    if isinstance(error, ssl.SSLError):
        return _tls(error, peer)
    if isinstance(error, ConnectionError):
        return f"{peer}: {what}; the connection was closed"
    if isinstance(error, OSError):
        return f"{peer}: {what} ({_words(error)})"
    return f"{peer}: what came back is not HTTP/1.1 ({type(error).__name__}); is this the port for gRPC?"


def channel(details: str, peer: str) -> str:
    """Why gRPC has no connection to ``peer``, from what it says about it."""
    if "CERTIFICATE_VERIFY_FAILED" in details:
        what = "its certificate is not accepted: expired, for another name, or from an authority that is not trusted"
        return f"{peer}: {what}; see OTEL_EXPORTER_OTLP_CERTIFICATE"
    return f"{peer}: no connection ({details})"


def _certificate(error: ssl.SSLCertVerificationError, peer: str) -> str:
    if error.verify_code == _EXPIRED:
        return f"{peer}: its certificate has expired; it has to be renewed there"
    if error.verify_code == _NOT_YET_VALID:
        return f"{peer}: its certificate is not valid yet; check the clocks"
    if error.verify_code in _UNTRUSTED:
        return f"{peer}: its certificate is from an authority that is not trusted; name it in OTEL_EXPORTER_OTLP_CERTIFICATE"
    if error.verify_code in _OTHER_NAME:
        return f"{peer}: its certificate is for another name; use the name that is in it"
    return f"{peer}: its certificate is not accepted ({error.verify_message})"


def _tls(error: ssl.SSLError, peer: str) -> str:
    reason: str = getattr(error, "reason", None) or ""  # OpenSSL gives none where the peer just hung up
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return f"{peer}: it does not speak TLS; use http:// if that is meant"
    if "CERTIFICATE" in reason and "ALERT" in reason:
        return f"{peer}: it does not accept our certificate ({reason}); see OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
    return f"{peer}: TLS failed ({reason or _words(error)})"


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__
