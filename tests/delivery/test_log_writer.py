"""The short way from our log records to bytes, beside the general way and the SDK's own encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from delivery.written import redactor
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from aumos_otel import _compat, guard
from aumos_otel.config import Selector
from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.foreign import redacted_log
from aumos_otel.delivery.log_writer import LogWriter
from aumos_otel.delivery.packing import parcels_of
from aumos_otel.delivery.parcel import Parcel
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.reading import log_record
from aumos_otel.delivery.selection import Selection
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.delivery.truncation import DEFAULT, Limits
from aumos_otel.recording.log import Log, Source
from aumos_otel.redaction.policy import RedactionFailed

SHORT = Limits(attribute=150, body=160, name=140)
EXAMPLES = settings(deadline=None, max_examples=300)
SECRET = "sk-ant-api03-" + "A1b2C3d4" * 11 + "AA"
SOURCES = (
    Source(Resource({"service.name": "tests"}, "r"), InstrumentationScope("app", "1", "s")),
    Source(Resource({"aumos.tenant.id": "theirs", "mail": "ann@example.com"}), InstrumentationScope("other")),
)
SPAN = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))

KEYS = ["order", "db.password", "token", "url.full", "aumos.tenant.id", "gen_ai.operation.name", "a\0b", "\ud83d"]
TEXTS = ["", "done", "ann@example.com", f"key={SECRET}", "ä€😀", "\ud83d\ude00 \ud83d \0", "word " * 40, "%s of %d"]
texts = st.sampled_from(TEXTS) | st.text(st.characters(), max_size=20)
keys = st.sampled_from(KEYS) | st.text(st.characters(), min_size=1, max_size=12)
numbers = st.sampled_from([0, 128, 4111111111111111, 2**63, 2**70]) | st.integers(-3, 3) | st.floats()
scalars = texts | numbers | st.booleans() | st.none() | st.binary(max_size=8)
values = scalars | st.lists(texts, max_size=2).map(tuple) | st.dictionaries(keys, scalars, max_size=2)
contexts = st.builds(
    SpanContext,
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    st.integers(0, 255).map(TraceFlags),
)
logs = st.builds(
    Log,
    timestamp=st.none() | st.integers(-1, 2**64),
    observed_timestamp=st.integers(1, 2**63 - 1),
    severity_number=st.integers(0, 24),
    severity_text=st.none() | texts,
    message=texts | values,
    arguments=st.none(),
    values=st.dictionaries(keys, values, max_size=5),
    event_name=st.none() | texts,
    span_context=st.none() | contexts,
    source=st.sampled_from(SOURCES),
)
#: With arguments that may not fit.
formatted = st.builds(
    lambda log, words, given: log._replace(message=words, arguments=given), logs, texts, st.tuples(scalars, scalars)
)

POLICIES: dict[str, Callable[[], Policy]] = {
    "nothing is redacted": lambda: Policy("full", "full", None),
    "secrets": lambda: Policy("full", "full", redactor()),
    "personal data hashed": lambda: Policy("full", "full", redactor(personal="hash", hash_key="k" * 32)),
    "secrets dropped": lambda: Policy("full", "full", redactor(secrets="drop", personal="drop")),
    "content cut to nothing": lambda: Policy("none", "full", redactor()),
    "texts emptied": lambda: Policy("full", "full", redactor(custom=lambda _where, _text: "")),
    "fails closed": lambda: Policy("full", "full", redactor(fail_closed=True, custom=refusing)),
}


def refusing(_where: str, text: str) -> str:
    """Raise for some texts."""
    if "done" in text:
        raise ValueError
    return text


def log(**fields: Any) -> Log:
    """A log record."""
    usual = Log(10, 20, 9, "INFO", "done", None, {}, None, SPAN, SOURCES[0])
    return usual._replace(**fields)


def writer(policy: Policy | None = None, **options: Any) -> LogWriter:
    """A writer; by default nothing is redacted."""
    return LogWriter(policy or POLICIES["nothing is redacted"](), **{"grain": Grain(), "limits": SHORT} | options)


def decoded(parcels: Sequence[Parcel]) -> list[Any]:
    """What a receiver gets, in an order that does not depend on that of the parcels."""
    request = ExportLogsServiceRequest.FromString(assemble(parcels))
    return sorted(
        (str(each.resource), str(scope.scope), scope.schema_url, one.SerializeToString(deterministic=True))
        for each in request.resource_logs
        for scope in each.scope_logs
        for one in scope.log_records
    )


def only(parcels: Sequence[Parcel]) -> Any:
    """The one log record that a receiver gets."""
    request = ExportLogsServiceRequest.FromString(assemble(parcels))
    ((one,),) = [scope.log_records for each in request.resource_logs for scope in each.scope_logs]
    return one


def in_general(policy: Policy, batch: Sequence[Log], limits: Limits = SHORT) -> tuple[list[Parcel], int]:
    """What becomes of ``batch`` by the general way, and how many were refused."""
    parcels: list[Parcel] = []
    refused = 0
    for each in batch:
        try:
            parcels += parcels_of(policy.applied(log_record(each)), limits)
        except RedactionFailed:
            refused += 1
    return parcels, refused


@pytest.fixture(autouse=True)
def _broken_templates_are_expected() -> Any:
    """Arguments that do not fit are counted; here they are given on purpose."""
    before = guard.set_strict(False)
    yield
    guard.set_strict(before)


@pytest.mark.parametrize("policy", POLICIES)
@EXAMPLES
@given(st.lists(logs | formatted, min_size=1, max_size=4))
def test_both_ways_lead_to_the_same(policy: str, batch: list[Log]) -> None:
    """A receiver gets the same from both ways, of the same speakers, and as many redactions are counted."""
    short, general = POLICIES[policy](), POLICIES[policy]()

    written = writer(short).write(batch * 2)
    parcels, refused = in_general(general, batch * 2)
    rest, refused_rest = in_general(short, written.rest)

    assert decoded([*written.parcels, *rest]) == decoded(parcels)
    assert written.refused + refused_rest == refused
    assert sum(parcel.count for parcel in written.parcels) + len(rest) + refused == 2 * len(batch)
    if not written.rest:
        assert counts(short) == counts(general)


def counts(policy: Policy) -> dict[str, int]:
    """Redactions so far."""
    redactor = policy._redactor
    return {} if redactor is None else redactor.counts()


@EXAMPLES
@given(st.lists(logs.map(lambda each: each._replace(timestamp=each.timestamp or 1)), max_size=4))
def test_beside_the_encoder_of_the_sdk(batch: list[Log]) -> None:
    """Where nothing has to be mended, a receiver gets what the SDK would have sent."""
    batch = [each for each in batch if is_proper(each)]
    records = []
    for each in batch:
        made: Any = LogRecord(
            timestamp=each.timestamp,
            observed_timestamp=each.observed_timestamp,
            severity_number=SeverityNumber(each.severity_number),
            severity_text=each.severity_text,
            body=each.body,
            attributes=each.values,
            event_name=each.event_name,
        )
        made.trace_id, made.span_id, made.trace_flags = each.trace_id, each.span_id, each.trace_flags
        records.append(ReadableLogRecord(made, each.resource, each.instrumentation_scope))

    written = writer(limits=Limits(attribute=10**9, body=10**9)).write(batch)

    assert written.rest == []
    assert decoded(written.parcels) == decoded_request(encode_logs(records))


def decoded_request(request: Any) -> list[Any]:
    """The same of a request of the SDK's."""
    return sorted(
        (str(each.resource), str(scope.scope), scope.schema_url, one.SerializeToString(deterministic=True))
        for each in request.resource_logs
        for scope in each.scope_logs
        for one in scope.log_records
    )


def is_proper(value: Any) -> bool:
    """Whether the SDK's encoder takes a value as it is."""
    if isinstance(value, str):
        return "\0" not in value and value.isprintable() and value.encode("utf-8", "replace").decode() == value
    if type(value) is int:
        return 0 <= value < 2**63
    if isinstance(value, dict):
        return all(is_proper(each) for pair in value.items() for each in pair)
    return (
        all(map(is_proper, value[:-1]))
        if isinstance(value, Log)
        else not isinstance(value, tuple) or all(map(is_proper, value))
    )


@pytest.mark.parametrize(
    ("message", "kind"), [("", "string_value"), (None, None), (0, "int_value"), (False, "bool_value")]
)
def test_a_body_that_is_empty_is_not_none(message: Any, kind: str | None) -> None:
    """A receiver can tell a text without characters from no body, also the second time."""
    writing = writer()

    for _ in range(2):
        assert only(writing.write([log(message=message)]).parcels).body.WhichOneof("value") == kind


def test_arguments_stand_in_the_message() -> None:
    """The text is made of template and arguments; where they do not fit, both arrive."""
    good, bad = (
        writer().write([log(message="%s of %d", arguments=("a", 7))]),
        writer().write([log(message="%d", arguments=("a",))]),
    )

    assert only(good.parcels).body.string_value == "a of 7"
    assert only(bad.parcels).body.string_value == "%d ('a',)"


@pytest.mark.parametrize("message", ["mail ann@example.com", "mail %s"])
def test_hashes_are_the_tenant_s(message: str) -> None:
    """What is hashed differs from tenant to tenant, also when the same text comes again."""
    writing = writer(POLICIES["personal data hashed"]())
    arguments = ("ann@example.com",) if "%" in message else None

    bodies = {
        only(
            writing.write([log(message=message, arguments=arguments, values={"aumos.tenant.id": who})]).parcels
        ).body.string_value
        for who in ("a", "b", "a", "b")
    }

    assert len(bodies) == 2
    assert not any("ann@" in body for body in bodies)


def test_more_texts_than_are_remembered() -> None:
    """Bodies, severities and keys are remembered in a bounded number, and arrive whatever is."""
    writing = writer()
    batch = [log(message=f"m{n}", severity_text=f"s{n}", values={f"k{n}": n}) for n in range(5000)]
    written = writing.write([log(message=""), *batch, log(message="")])

    assert decoded(written.parcels) == decoded(
        in_general(POLICIES["nothing is redacted"](), [log(message=""), *batch, log(message="")])[0]
    )
    assert len(writing._bodies.known) <= 2048
    assert len(writing._heads) <= 256


def test_worth_decides_on_the_parcel() -> None:
    """Errors and events of LLM calls are in parcels of their own, which are dropped last."""
    batch = [log(), log(severity_number=17), log(values={"gen_ai.operation.name": "chat"}), log(severity_number=16)]

    assert {(parcel.valued, parcel.count) for parcel in writer().write(batch).parcels} == {(False, 2), (True, 2)}


def test_what_is_too_large_goes_the_general_way() -> None:
    """A message over the limit is left to what shortens it further."""
    large = log(message="x" * 3000)

    assert writer(max_bytes=2000, limits=DEFAULT).write([log(), large]).rest == [large]


@pytest.mark.parametrize(
    "fields", [{"observed_timestamp": None}, {"span_context": 7}, {"timestamp": "now"}, {"values": 7}]
)
def test_a_broken_record_costs_itself_alone(fields: dict[str, Any]) -> None:
    """It is left to the general way; the others are written."""
    broken = log(**fields)
    written = writer().write([log(), broken, log()])

    assert written.rest == [broken]
    assert sum(parcel.count for parcel in written.parcels) == 2


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        (Selector(severity="ERROR"), "filtered"),
        (Selector(severity="INFO"), None),
        (Selector(tenants=("acme",)), None),
        (Selector(tenants=("other",)), "filtered"),
        (Selector(scopes=("app",)), None),
        (Selector(scopes=("db.*",)), "filtered"),
    ],
)
def test_who_gets_it(selector: Selector, reason: str | None) -> None:
    """A selection decides about it as about the record that the general way reads."""
    selection = Selection(selector.resolve({}, {}, {}), 1.0)
    given_log = log(values={"aumos.tenant.id": "acme"})

    assert LogWriter.refusal(selection, given_log) == reason
    assert (selection.share(log_record(given_log))[0] is None) == (reason is not None)


def test_an_exporter_of_another_package() -> None:
    """It gets the SDK's object with the same content."""
    got = redacted_log(log(message="%s of %d", arguments=("a", 7), values={"n": 1}), POLICIES["secrets"]())  # type: ignore[arg-type]  # it reads like one

    record = got.log_record
    assert (record.body, record.attributes, record.trace_id, record.severity_text) == ("a of 7", {"n": 1}, 1, "INFO")


def test_an_api_that_keeps_contexts_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a span context is no tuple, everything goes the general way."""
    monkeypatch.setattr(_compat, "CONTEXT_IS_TUPLE", False)

    assert writer().write([log()]) == ([], [log()], 0)
