"""Whose records a request holds: a subject's go, the rest stays byte for byte the same record."""

from __future__ import annotations

import pytest

from aumos_otel.errors import AumosOtelError
from aumos_otel.spool.subject import Subject, only_hashes

from .requests_of import REQUESTS, TENANT, USER, logs, metrics, traces

ALICE = {TENANT: "acme", USER: "alice"}
BOB = {TENANT: "acme", USER: "bob"}
EVE = {TENANT: "evil", USER: "alice"}


@pytest.mark.parametrize(
    ("subject", "left"),
    [
        (Subject(tenant="acme"), ["eve", "nobody"]),
        (Subject(user="alice"), ["bob", "nobody"]),
        (Subject(tenant="acme", user="alice"), ["bob", "eve", "nobody"]),
        (Subject(tenant="alice"), ["alice", "bob", "eve", "nobody"]),
        (Subject(user="ali"), ["alice", "bob", "eve", "nobody"]),
    ],
)
def test_only_the_subjects_spans_go(subject, left):
    """A tenant, a user, or a user of one tenant; values are compared whole."""
    request = traces(("alice", ALICE), ("bob", BOB), ("eve", EVE), ("nobody", {}))
    body, removed = subject.strip("traces", request.SerializeToString())
    seen = REQUESTS["traces"].FromString(body)
    spans = [span for group in seen.resource_spans for scope in group.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == left
    assert removed == 4 - len(left)
    assert spans == [span for span in request.resource_spans[0].scope_spans[0].spans if span.name in left]


def test_log_records_go():
    """Logs are searched like spans."""
    body, removed = Subject(user="alice").strip("logs", logs(("secret", ALICE), ("public", BOB)).SerializeToString())
    assert removed == 1
    assert b"secret" not in body
    assert b"public" in body


def test_data_points_of_every_kind_go():
    """Each kind of metric is searched; a metric without points goes with them."""
    body, removed = Subject(user="alice").strip("metrics", metrics(ALICE, BOB).SerializeToString())
    assert removed == 5
    assert b"alice" not in body
    assert body.count(b"bob") == 5
    body, removed = Subject(tenant="acme").strip("metrics", metrics(ALICE, BOB).SerializeToString())
    assert (body, removed) == (b"", 10)


@pytest.mark.parametrize("make", [traces, logs])
def test_what_the_resource_says_counts(make):
    """A record of a process that serves one tenant is that tenant's, unless it says otherwise itself."""
    signal = make.__name__
    request = make(("a", {USER: "alice"}), ("b", {TENANT: "other"}), resource={TENANT: "acme"}).SerializeToString()
    assert Subject(tenant="acme").strip(signal, request)[1] == 1
    assert Subject(tenant="acme", user="alice").strip(signal, request)[1] == 1
    assert Subject(tenant="other").strip(signal, request)[1] == 1


def test_ids_that_are_numbers_are_found():
    """An id that was set as a number is the same id."""
    assert Subject(user="42").strip("traces", traces(("a", {USER: 42})).SerializeToString())[1] == 1


def test_hashed_ids_are_found():
    """Where redaction hashed an id, what it left is found with the tenant's key, a resource's without one."""
    redacted = only_hashes(lambda name, value, tenant: f"[HASH:{value}:{tenant}]")
    of_acme, of_nobody = redacted(USER, "alice", "acme"), redacted(USER, "alice", None)
    request = traces(
        ("hashed", {TENANT: "acme", USER: of_acme}),
        ("another tenant's", {TENANT: "evil", USER: of_acme}),
        ("of the resource", {TENANT: "acme"}),
        resource={USER: of_nobody},
    ).SerializeToString()
    assert Subject(user="alice").strip("traces", request)[1] == 0
    body, removed = Subject(user="alice").strip("traces", request, redacted)
    assert removed == 2
    assert b"another tenant's" in body


def test_masks_are_not_taken_for_ids():
    """A mask is the same for everybody: by it nobody's records are erased."""

    def fail(*_args):
        raise AumosOtelError

    for redact in (lambda *_: "[REDACTED:email]", lambda *_: "[HASH:email:1] and more", lambda *_: None, fail):
        redacted = only_hashes(redact)
        assert redacted(USER, "ann@example.com", None) == "ann@example.com"
        masked = traces(("masked", {USER: "[REDACTED:email]"})).SerializeToString()
        assert Subject(user="ann@example.com").strip("traces", masked, redacted)[1] == 0


def test_what_is_no_request_stays_as_it_is():
    """Bytes that cannot be decoded are not touched."""
    assert Subject(user="alice").strip("traces", b"\xff\xff\xff") == (b"\xff\xff\xff", 0)
