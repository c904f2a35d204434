"""OTLP through a session that a credential provider made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from servers.senders import spans
from servers.sockets import Listener
from servers.targets import http_target, soon

from aumos_otel import guard
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.delivery.session import SessionTransport
from aumos_otel.testing import TLS, OTLPSink, Reply

BODY = spans(1, 2, 3).SerializeToString()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session that adds a header."""
    with requests.Session() as made:
        made.headers["x-credential"] = "signed"
        yield made


def test_a_request(session: requests.Session) -> None:
    """The session's headers and ours arrive, and the body is compressed."""
    with OTLPSink() as sink:
        transport = SessionTransport(http_target(sink.url, compression="gzip", headers={"x-team": "red"}), session)

        assert transport.send(BODY, soon()) == Outcome("accepted")

        (request,) = sink.requests
        assert (request.encoding, request.content) == ("gzip", BODY)
        assert request.headers["x-credential"] == "signed"
        assert request.headers["x-team"] == "red"
        transport.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(302, headers={"Location": "/elsewhere"}), "rejected"),
        (Reply(400), "rejected"),
        (Reply(413), "too_large"),
        (Reply(503, retry_after=3), "retry"),
    ],
)
def test_answers(reply: Reply, kind: str, session: requests.Session) -> None:
    """An answer means what it means to our own transport; redirects are not followed."""
    with OTLPSink() as sink:
        sink.reply = reply
        outcome = SessionTransport(http_target(sink.url), session).send(BODY, soon())

        assert (outcome.kind, outcome.ambiguous, outcome.retry_after) == (kind, False, reply.retry_after)
        assert sink.arrived == 1


def test_partial_success(session: requests.Session) -> None:
    """What an accepted request lost is counted."""
    with OTLPSink() as sink:
        sink.reply = Reply(rejected=2, message="too old")

        outcome = SessionTransport(http_target(sink.url), session).send(BODY, soon())

    assert outcome == Outcome("accepted", rejected=2, message="too old")


def test_nobody_is_there(session: requests.Session) -> None:
    """A refused connection was certainly not received."""
    outcome = SessionTransport(http_target("http://127.0.0.1:9"), session).send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert outcome.message.startswith("127.0.0.1:9: ")


@pytest.mark.parametrize("reply", [Reply(answers=False), Reply(reset="read")])
def test_no_answer(reply: Reply, session: requests.Session) -> None:
    """A receiver that hangs or breaks off may have the request."""
    with OTLPSink() as sink:
        sink.reply = reply
        outcome = SessionTransport(http_target(sink.url), session).send(BODY, soon(0.5))

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)


def test_an_answer_that_drips(session: requests.Session) -> None:
    """A body that does not come to its end is left soon after the deadline; the status was success."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nxy"
    with Listener(head) as listener:
        deadline = soon(0.5)
        outcome = SessionTransport(http_target(listener.url), session).send(BODY, deadline)

        assert time.monotonic() - deadline < 2.0
    assert outcome.kind == "accepted" or outcome.ambiguous


def test_an_endless_answer(session: requests.Session) -> None:
    """Of an endless answer no more than the limit is read."""
    with Listener(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n", endless=True) as listener:
        outcome = SessionTransport(http_target(listener.url), session).send(BODY, soon())
        listener.wait_for_end()

    assert (outcome.kind, outcome.message) == ("accepted", "HTTP 200 OK, but the answer broke off")


def test_a_deadline_that_has_passed(session: requests.Session) -> None:
    """Without any time left nothing is sent."""
    with OTLPSink() as sink:
        outcome = SessionTransport(http_target(sink.url), session).send(BODY, soon(-1))

        assert (outcome.kind, outcome.ambiguous, sink.arrived) == ("retry", False, 0)


def test_tls(session: requests.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named authority is trusted, whatever requests was told; without it the request is not sent."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / name for name in ("key", "chain", "ca", "other")}
    server.private_key_pem.write_to_path(files["key"])
    server.cert_chain_pems[0].write_to_path(files["chain"])
    authority.cert_pem.write_to_path(files["ca"])
    trustme.CA().cert_pem.write_to_path(files["other"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files["other"]))
    with OTLPSink(tls=TLS(files["key"], files["chain"])) as sink:
        refused = SessionTransport(http_target(sink.url), session).send(BODY, soon())
        assert (refused.kind, refused.ambiguous, sink.arrived) == ("retry", False, 0)

        trusted = SessionTransport(http_target(sink.url, certificate=str(files["ca"])), session)

        assert trusted.send(BODY, soon()) == Outcome("accepted")


def test_a_session_that_is_broken(session: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a session raises goes no further."""
    monkeypatch.setattr(session, "post", lambda *_a, **_o: 1 / 0)
    strict = guard.set_strict(False)
    try:
        outcome = SessionTransport(http_target("http://127.0.0.1:9"), session).send(BODY, soon())
    finally:
        guard.set_strict(strict)

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)
