"""The short way from our spans to bytes, beside the general way and the SDK's own encoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from delivery.written import Recorder, decoded, in_general, messages, redactor, writer
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.recording.span import Span

EXAMPLES = settings(deadline=None, max_examples=40)
SECRET = "sk-ant-api03-" + "A1b2C3d4" * 11 + "AA"

KEYS = [
    "http.route",
    "n",
    "db.password",
    "max_tokens",
    "token",
    "url.full",
    "aumos.tenant.id",
    "gen_ai.operation.name",
    "gen_ai.input.messages",
    "gen_ai.tool.call.result",
    "aumos.llm.content_policy",
    "exception.stacktrace",
    "ann@example.com",
    "a\0b",
    "a\ufffdb",
    "\ud83d",
    f"x {SECRET}",
    "k" * 1100,
]
TEXTS = [
    "",
    "/chat",
    "ann@example.com",
    f"key={SECRET}",
    "https://u:secret@example.com/?token=abcdef12345&x=1",
    "4111 1111 1111 1111",
    "ä€😀",
    "\ud83d\ude00 \ud83d \0",
    '[{"role":"user","parts":[{"type":"text","content":"ann@example.com ' + "words " * 40 + '"}]}]',
    '{"password": "hunter22"}',
    "word " * 40,
    "word " * 8000,
    "redacted",
]
texts = st.sampled_from(TEXTS) | st.text(st.characters(), max_size=20)
keys = st.sampled_from(KEYS) | st.text(st.characters(), min_size=1, max_size=12)
numbers = (
    st.sampled_from([0, 1, 127, 128, 2047, 2048, 4111111111111111, 10**14, -(10**14), 2**63 - 1, -(2**63), 2**70])
    | st.integers(-3, 3)
    | st.floats()
)
scalars = texts | numbers | st.booleans() | st.none()
values = scalars | st.binary(max_size=8) | st.lists(texts, max_size=3) | st.lists(st.integers(0, 1), max_size=3)
values |= st.lists(st.booleans(), max_size=3) | st.dictionaries(keys, texts, max_size=2)
attributes = st.dictionaries(keys, values, max_size=6)
states = st.sampled_from([None, TraceState(), TraceState([("a", "1"), ("b", "2")])])
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.integers(0, 3).map(TraceFlags),
    states,
)
times = st.integers(1, 2**62)

POLICIES: dict[str, Any] = {
    "nothing is redacted": lambda: ("full", "full", None),
    "secrets": lambda: ("full", "full", redactor()),
    "personal data hashed for each tenant": lambda: ("full", "full", redactor(personal="hash", hash_key="k" * 32)),
    "secrets dropped": lambda: ("full", "full", redactor(secrets="drop", personal="drop")),
    "content cut to fingerprints": lambda: ("hash", "full", redactor()),
    "content cut to nothing": lambda: ("none", "full", None),
    "content redacted": lambda: ("redacted", "full", redactor()),
    "a pattern and a key of the user's": lambda: (
        "full",
        "full",
        redactor(patterns={"badge": "chat[0-9]*"}, keys=("n",), secrets="keep"),
    ),
    "a function of the user's": lambda: (
        "full",
        "full",
        redactor(custom=lambda where, text: text + "!" * (where == "n")),
    ),
    "fails closed": lambda: ("full", "full", redactor(fail_closed=True, custom=refusing)),
}


def refusing(_where: str, text: str) -> str:
    """Raise for some texts."""
    if "chat" in text:
        raise ValueError
    return text


@st.composite
def spans(draw: Any, recorder: Recorder) -> Span:
    """A finished span of ours, with anything in it."""
    start = draw(times)
    span = recorder.start(
        draw(attributes),
        draw(texts),
        kind=draw(st.sampled_from(SpanKind)),
        context=draw(contexts),
        parent=draw(st.none() | contexts),
        start_time=start,
    )
    for name, given_values in draw(st.lists(st.tuples(texts, attributes), max_size=2)):
        span.add_event(name, given_values, draw(times))
    for context, given_values in draw(st.lists(st.tuples(contexts, attributes), max_size=2)):
        span.add_link(context, given_values)
    code = draw(st.sampled_from(StatusCode))
    span.set_status(Status(code, draw(texts) if code is StatusCode.ERROR else None))
    span.end(start + draw(st.integers(0, 10**9)))
    return span


@pytest.fixture(autouse=True, scope="module")
def patience() -> Iterator[None]:
    """Time for redaction: what is masked because a busy machine was slow differs from one run to the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aumos_otel.redaction.policy.RECORD_BUDGET", 600.0)
        yield


@pytest.mark.parametrize("policy", POLICIES)
@EXAMPLES
@given(st.data())
def test_both_ways_lead_to_the_same(policy: str, data: st.DataObject) -> None:
    """A receiver gets the same from both ways, of the same speakers, and as many redactions are counted."""
    recorders = [Recorder(), Recorder({"aumos.tenant.id": "of the resource", "mail": "ann@example.com"}, "other")]
    batch = [data.draw(spans(recorder)) for recorder in recorders for _ in range(2)] * 2
    short, general = Policy(*POLICIES[policy]()), Policy(*POLICIES[policy]())

    written = writer(short).write(batch)
    parcels, refused, failed = in_general(general, batch)

    assert decoded(written.parcels) == decoded(parcels)
    assert (written.refused, written.rest) == (refused, failed)
    assert sum(parcel.count for parcel in written.parcels) + refused + len(failed) == len(batch)
    assert failed or counts(short) == counts(general)


plain_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
plain_scalars = plain_words | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
plain_values = plain_scalars | st.binary(max_size=8) | st.lists(plain_words, max_size=3) | st.lists(st.booleans())
plain_attributes = st.dictionaries(plain_words.filter(bool), plain_values, max_size=6)
stateless = st.builds(SpanContext, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_the_sdk_says_the_same(data: st.DataObject) -> None:
    """Without redaction a receiver decodes what it would from the SDK's encoder."""
    recorder = Recorder(max_span_attributes=4, max_events=2, max_links=2, max_attribute_length=15)
    span = recorder.start(
        data.draw(plain_attributes),
        data.draw(plain_words),
        kind=data.draw(st.sampled_from(SpanKind)),
        context=data.draw(contexts),
        parent=data.draw(st.none() | contexts),
        start_time=5,
    )
    for name, given_values in data.draw(st.lists(st.tuples(plain_words, plain_attributes), max_size=3)):
        span.add_event(name, given_values, 7)
    for link in data.draw(st.lists(st.builds(Link, stateless, plain_attributes), max_size=3)):
        span.add_link(link.context, link.attributes)
    span.set_status(StatusCode.ERROR, data.draw(plain_words))
    span.end(9)
    ours = writer()

    for _ in range(2):  # the second time from memory
        written = ours.write([span])
        assert written.rest == []
        (found,) = messages(written.parcels)
        assert found == encode_spans([span]).resource_spans[0].scope_spans[0].spans[0]


def test_numbers_that_are_equal_but_not_the_same() -> None:
    """True, 1 and 1.0 under one key stay what they are, also in tuples, whatever was written before."""
    given_values: list[Any] = [True, 1, 1.0, "1", (True,), (1,), (1.0,), ("1",), None, 0, False, 0.0, -0.0] * 2
    recorder = Recorder()

    found = messages(writer().write([recorder.span({"a": value}) for value in given_values]).parcels)

    kinds = ["bool_value", "int_value", "double_value", "string_value"]
    kinds += ["array_value"] * 4 + [None, "int_value", "bool_value", "double_value", "double_value"]
    inner = ["bool_value", "int_value", "double_value", "string_value"]
    attributes_found = [each.attributes[0].value for each in found]
    assert [value.WhichOneof("value") for value in attributes_found] == kinds * 2
    lists = [value.array_value.values[0] for value in attributes_found if value.WhichOneof("value") == "array_value"]
    assert [value.WhichOneof("value") for value in lists] == inner * 2


def test_each_secret_is_counted() -> None:
    """What is redacted is counted as often as it comes, and in each place."""
    policy = Policy("full", "full", redactor())
    spans = [Recorder().span({"a": SECRET, "db.password": 7}, f"got {SECRET}") for _ in range(3)]

    written = writer(policy).write(spans)

    assert counts(policy) == {"anthropic": 6, "name": 3}
    assert all(SECRET not in str(each) and "7" not in str(each.attributes) for each in messages(written.parcels))


def test_each_tenant_has_its_own_hash() -> None:
    """A value that is hashed differs between tenants, is the same for one, and that of the resource is the last resort."""
    policy = Policy("full", "full", redactor(personal="hash", hash_key="k" * 32))
    recorder = Recorder({"aumos.tenant.id": "acme"})
    mail = {"mail": "ann@example.com"}
    spans = [recorder.span(mail | {"aumos.tenant.id": tenant}) for tenant in ("acme", "globex", "acme")]

    found = messages(writer(policy).write([*spans, recorder.span(mail)]).parcels)

    first, other, again, of_resource = [each.attributes[0].value.string_value for each in found]
    assert first.startswith("[HASH:email:")
    assert first == again == of_resource != other


def test_what_does_not_fit_is_left_to_the_general_way() -> None:
    """A span with another resource or scope, broken ids or times, or much in it comes back as it is."""
    recorder = Recorder()
    odd: list[Any] = [recorder.span({"a": "b" * 200}) for _ in range(6)]
    odd[0]._resource = recorder.resource
    odd[1]._instrumentation_scope = recorder.scope
    odd[2].context = None
    odd[3].context = SpanContext(2**200, 1, is_remote=False)
    odd[4].end_time = None
    odd[5].name = ["unhashable"]
    large = [recorder.span({"a": "b" * 9000}), recorder.span({"k" * 400: "b"})]

    written = writer(max_bytes=20_000).write([*odd, recorder.span(), large[0]])
    narrow = writer(max_bytes=7000).write([large[1]])

    assert written.rest == [*odd, large[0]]
    assert [each.name for each in messages(written.parcels)] == ["work"]
    assert narrow.rest == []


def test_a_message_that_is_too_large_after_all() -> None:
    """What only turns out too large when it is written comes back as well."""
    recorder = Recorder()
    span = recorder.span({"k" * 1000 + str(number): "b" for number in range(20)})

    assert writer(max_bytes=15_000).write([span]).rest == [span]


def test_long_texts_are_shortened() -> None:
    """A text over its limit ends with a mark, be it attribute, name, message or stack trace."""
    recorder = Recorder()
    span = recorder.start({"a": "x" * 40_000}, "n" * 2000)
    span.set_status(StatusCode.ERROR, "m" * 9000)
    span.add_event("e" * 2000, {"exception.stacktrace": "s" * 70_000})
    span.end()

    for _ in range(2):
        (found,) = messages(writer().write([span]).parcels)
        texts_found = [found.attributes[0].value.string_value, found.name, found.status.message, found.events[0].name]
        texts_found.append(found.events[0].attributes[0].value.string_value)
        assert ["(len " in each for each in texts_found] == [True] * 5


def test_a_parent_that_is_none() -> None:
    """A parent without an id is no parent, but may be of another process."""
    span = Recorder().span(parent=SpanContext(1, 0, is_remote=True))

    written = writer().write([span])

    assert decoded(written.parcels) == decoded(in_general(Policy("full", "full", None), [span])[0])
    assert messages(written.parcels)[0].parent_span_id == b""


def test_an_end_before_the_start() -> None:
    """Times that run backwards are mended here as there."""
    span = Recorder().span(start_time=50, end_time=40)

    (found,) = messages(writer().write([span]).parcels)

    assert (found.start_time_unix_nano, found.end_time_unix_nano) == (50, 50)


def test_more_than_is_remembered() -> None:
    """Keys and values without end change nothing but the time it takes, and what is remembered stays small."""
    ours, recorder = writer(), Recorder()
    given_values = [{f"key.{number}": f"value.{number}" * 10, "n": number, "same": "x"} for number in range(6000)]

    found = messages(ours.write([recorder.span(each) for each in given_values]).parcels)

    for each, wanted in zip(found, given_values, strict=True):
        assert {one.key: one.value.string_value or one.value.int_value for one in each.attributes} == wanted
    pairs = ours._pairs
    assert sum(len(field) for known in pairs._texts.values() for field in known.values()) < 4 * 1024 * 1024
    assert len(pairs._texts) < 6000


def test_what_a_processor_wrote() -> None:
    """Attributes that somebody put in the place of ours leave as the plain values that they are."""
    span: Any = Recorder().span()
    span._attributes = {"list": [1, "a"], "set": {2}, "object": object()}

    (found,) = messages(writer().write([span]).parcels)

    by_key = {each.key: each.value for each in found.attributes}
    assert [each.WhichOneof("value") for each in by_key["list"].array_value.values] == ["int_value", "string_value"]
    assert by_key["object"].string_value == "<object>"


def test_worth_and_speaker() -> None:
    """Parcels hold records of one speaker and one worth, no more of them than the grain says."""
    one, other = Recorder(), Recorder(scope="other")
    failed = one.start()
    failed.set_status(StatusCode.ERROR)
    failed.end()
    spans = [one.span() for _ in range(5)] + [failed, other.span(), one.span({"gen_ai.operation.name": "chat"})]

    parcels = writer(grain=Grain(2, 10_000)).write(spans).parcels

    found = sorted((parcel.count, parcel.valued, b"other" in parcel.group.scope) for parcel in parcels)
    assert found == [(1, False, False), (1, False, True), (2, False, False), (2, False, False), (2, True, False)]


def test_a_context_of_another_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a span context is no tuple of its fields, everything goes the general way."""
    monkeypatch.setattr("aumos_otel._compat.CONTEXT_IS_TUPLE", False)
    span = Recorder().span()

    assert writer().write([span]) == ([], [span], 0)


def counts(policy: Policy) -> dict[str, int]:
    """Redactions so far."""
    redactor = policy._redactor
    return {} if redactor is None else redactor.counts()


class Later:
    """A text that is made on the worker."""

    size = 4

    def text(self) -> str:
        """A secret."""
        return f"key={SECRET}"


def test_a_deferred_text() -> None:
    """A text that was deferred is made, and redacted as any other."""
    span = Recorder().start({"a": "b"})
    span.defer("said", Later())
    span.end()

    (found,) = messages(writer(Policy("full", "full", redactor())).write([span]).parcels)

    assert [pair.key for pair in found.attributes] == ["a", "said"]
    assert "REDACTED" in found.attributes[1].value.string_value
    assert SECRET not in str(found)
