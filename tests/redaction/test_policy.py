"""What becomes of what is found: actions, structure, URLs, bounds, budgets and failures."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redaction.corpus import positives
from redaction.report import redactor

from aumos_otel import guard
from aumos_otel.config import RedactionOptions
from aumos_otel.errors import ConfigError
from aumos_otel.redaction import DROP, excerpt
from aumos_otel.redaction import policy as policy_module
from aumos_otel.redaction.policy import RedactionFailed, Redactor
from aumos_otel.semconv import attributes as attr

TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
EMAIL = "ann@example.com"
MESSAGES = attr.GEN_AI_INPUT_MESSAGES
EVERYTHING = redactor(personal="mask", national_ids="mask")


@pytest.mark.parametrize(
    ("action", "text", "value"),
    [
        ("keep", f"from {EMAIL}", f"from {EMAIL}"),
        ("mask", "from [REDACTED:email]", "from [REDACTED:email]"),
        ("drop", "[REDACTED:email]", DROP),
    ],
)
def test_actions(action, text, value) -> None:
    """What is dropped takes its attribute along; a text that must be there is masked as a whole."""
    made = redactor(personal=action)
    assert made.text("log.body", f"from {EMAIL}") == text
    assert made.value("note", f"from {EMAIL}") == value
    assert made.counts() == ({} if action == "keep" else {"email": 2})


def test_hash_is_stable_within_a_tenant_and_differs_between() -> None:
    """Equal values of one tenant can be joined; those of two tenants, or under two keys, cannot."""
    made = redactor(personal="hash", hash_key="k1")
    first = made.text("log.body", EMAIL, tenant="acme")
    assert first.startswith("[HASH:email:")
    assert len(first) == len("[HASH:email:0123456789ab]")
    assert made.value("note", f"<{EMAIL}>", "acme") == f"<{first}>"
    assert made.text("log.body", EMAIL, tenant="other") != first
    assert redactor(personal="hash", hash_key="k2").text("log.body", EMAIL, tenant="acme") != first
    assert made.text("log.body", first, tenant="other") == first


def test_hash_without_a_key_is_refused() -> None:
    """Without a key the digest of an address could be looked up."""
    with pytest.raises(ConfigError) as caught:
        redactor(personal="hash")
    assert caught.value.subject == "redaction.hash_key"


@pytest.mark.parametrize("patterns", [{"badge": "(a+)+$"}, {"Badge!": "a"}, {"badge": 3}, {"badge": "("}])
def test_wrong_patterns_are_refused(patterns) -> None:
    """At configure(), with the name of the pattern."""
    with pytest.raises(ConfigError) as caught:
        redactor(patterns=patterns)
    assert caught.value.subject.startswith("redaction.patterns.")


def test_patterns_and_names_of_the_user() -> None:
    """They are masked even where secrets are kept."""
    made = redactor(patterns={"badge": r"BADGE-\d{6}"}, keys=["employee"], secrets="keep")
    assert made.text("log.body", f"BADGE-123456 {TOKEN}") == f"[REDACTED:badge] {TOKEN}"
    assert made.value("employee.number", "E1") == "[REDACTED:name]"
    assert made.value("password", "hunter2") == "hunter2"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("http.request.header.authorization", ["Bearer abc"], ["[REDACTED:name]"]),
        ("db.password", 123456, "[REDACTED:name]"),
        ("db.password", None, None),
        ("password_set", True, True),
        ("token", 17, 17),
        ("gen_ai.usage.input_tokens", 4111111111111111 // 10**12, 4111),
        ("card", 4111111111111111, "[REDACTED:payment_card]"),
        ("card", 4111111111111112, 4111111111111112),
        ("ratio", 0.5, 0.5),
        ("raw", b"\xff key " + TOKEN.encode(), b"\xff key [REDACTED:github]"),
        ("raw", "ä ".encode() + TOKEN.encode(), "ä [REDACTED:github]".encode()),
        ("raw", b"\xff\x00", b"\xff\x00"),
        ("secret", b"\x00\x01", b"[REDACTED:name]"),
        ("config", {"db": {"password": {"value": "x", "n": [1, "y"]}, "host": "h"}},
         {"db": {"password": {"value": "[REDACTED:name]", "n": ["[REDACTED:name]", "[REDACTED:name]"]}, "host": "h"}}),
        ("m", {f"k {TOKEN}": 1}, {"k [REDACTED:github]": 1}),
    ],
)  # fmt: skip
def test_values_of_each_type(key, value, expected) -> None:
    """Containers keep their shape, numbers pass unless they are cards, and a name tells for all below it."""
    assert redactor().value(key, value) == expected


def test_what_is_given_is_not_changed() -> None:
    """Another destination may want it as it was."""
    value = {"a": [{"password": "x"}, TOKEN]}
    before = json.dumps(value)
    assert redactor().value("m", value) != value
    assert json.dumps(value) == before


def test_drop_within_a_structure_takes_the_entry() -> None:
    """A dropped leaf takes itself along, not the conversation around it."""
    made = redactor(personal="drop")
    assert made.value("m", {"a": EMAIL, "b": ["x", EMAIL]}) == {"b": ["x"]}


def test_messages_keep_their_structure() -> None:
    """Roles, types, ids and tool names of a conversation stay; the texts in it are redacted, as JSON."""
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": f"ünder {EMAIL} “quoted”"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_abc123", "name": "get_token", "arguments": {"api_key": "k", "n": 4111111111111111}}]},
    ]  # fmt: skip
    out = redactor(personal="mask").value(MESSAGES, json.dumps(messages, ensure_ascii=True))
    assert json.loads(out) == [
        {"role": "user", "parts": [{"type": "text", "content": "ünder [REDACTED:email] “quoted”"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_abc123", "name": "get_token", "arguments": {"api_key": "[REDACTED:name]", "n": "[REDACTED:payment_card]"}}]},
    ]  # fmt: skip
    assert ": " not in out.replace("n: ", "")


@pytest.mark.parametrize(
    "text",
    [
        '[{"content": "' + TOKEN,
        '{"a": "' + TOKEN + '", "a": "last wins"}',
        '{"a": NaN, "b": "' + TOKEN + '"}',
        "[" * 5000 + '"' + TOKEN + '"',
        '{"a": "\\ud800", "b": "' + TOKEN + '"}',
        '{"a": "\\u0067hp_' + TOKEN[4:] + '"}',
        TOKEN,
    ],
    ids=["cut", "twice", "nan", "deep", "surrogate", "escaped", "text"],
)
def test_content_that_is_odd_json_leaks_nothing(text) -> None:
    """Neither broken JSON, nor names said twice, nor escapes hide a secret; what comes out can be encoded."""
    out = redactor().value(MESSAGES, text)
    assert TOKEN[4:] not in out
    out.encode()


def test_clean_content_is_the_same_text() -> None:
    """Nothing is written anew for nothing."""
    text = '[ {"role" : "user", "n": 1e3, "parts":[]} ]'
    assert redactor().value(MESSAGES, text) is text


def test_a_schema_is_no_secret() -> None:
    """A tool that takes a password says so with the word, not with one."""
    tools = [{"name": "login", "parameters": {"properties": {"password": {"type": "string"}}}}]
    assert redactor().value(attr.GEN_AI_TOOL_DEFINITIONS, tools) == tools


@pytest.mark.parametrize(
    ("key", "url", "expected"),
    [
        (attr.URL_QUERY, "page=2&API-Key=k1&q=a+b", "page=2&API-Key=[REDACTED:name]&q=a+b"),
        (attr.URL_FULL, "https://h/p?sig=s&x=%20#access_token=t", "https://h/p?sig=[REDACTED:name]&x=%20#access_token=[REDACTED:name]"),
        (attr.URL_FULL, "https://u:pw@h/p?a=1", "https://u:[REDACTED:url_password]@h/p?a=1"),
        (attr.HTTP_TARGET, "/p?a%70i_key=k&b", "/p?a%70i_key=[REDACTED:name]&b"),
        (attr.URL_QUERY, "to=ann%40example.com", "to=[REDACTED:email]"),
        (attr.URL_QUERY, "", ""),
        (attr.URL_QUERY, "=&&;==", "=&&;=="),
        (attr.URL_FULL, "https://h/p?a=1&max_tokens=5", "https://h/p?a=1&max_tokens=5"),
    ],
)  # fmt: skip
def test_urls(key, url, expected) -> None:
    """Parameters of secret names and values with findings go, encoded or not; the rest is as it was sent."""
    made = redactor(personal="mask")
    assert made.value(key, url) == expected
    assert made.value(key, expected) == expected


@pytest.mark.parametrize(
    "where",
    [0, excerpt.KEPT - 20, excerpt.KEPT, excerpt.KEPT + 200, -excerpt.KEPT - 30, -excerpt.KEPT, -len(TOKEN) - 1],
)
@pytest.mark.parametrize("filler", ["word ", "x"], ids=["words", "run"])
def test_a_cut_leaves_no_half_secret(where, filler) -> None:
    """Of a long text both ends are kept; a secret that the cut goes through is not readable in part."""
    text = (filler * 300_000)[:300_000]
    place = where % len(text)
    text = text[:place] + " " + TOKEN + " " + text[place:]
    out = redactor().text("log.body", text)
    assert not any(TOKEN[start : start + 8] in out for start in range(len(TOKEN) - 8))
    assert len(out) <= excerpt.LIMIT
    assert f"(len {len(text)}, sha256 {hashlib.sha256(text.encode()).hexdigest()})" in out
    assert redactor().text("log.body", out) == out


def test_a_run_longer_than_the_margin_goes() -> None:
    """What is longer than what can be seen at a cut, and has no space, could be anything."""
    blob = base64.b64encode(random.Random(1).randbytes(100_000)).decode()
    out = redactor().text("log.body", "before " + blob * 2 + " after")
    assert out.startswith("before … (len ")
    assert out.endswith(") … after")


def test_what_was_cut_before_loses_its_last_word() -> None:
    """Half a secret cannot be told from a word; where a marker says that a text was cut, the word before it goes."""
    text = f"my key is {TOKEN[:12]}… (len 300, sha256 {'0' * 64})"
    out = redactor().text("log.body", text)
    assert out == f"my key is [REDACTED:cut]… (len 300, sha256 {'0' * 64})"
    assert redactor().text("log.body", out) == out


def test_content_is_searched_as_a_whole() -> None:
    """A prompt of a megabyte is longer than a log line may be, and none of it is taken away."""
    prompt = "word " * 100_000 + TOKEN + " word" * 100_000
    out = redactor().value(MESSAGES, [{"role": "user", "parts": [{"type": "text", "content": prompt}]}])
    assert out[0]["parts"][0]["content"] == prompt.replace(TOKEN, "[REDACTED:github]")


def test_a_record_has_one_budget(monkeypatch) -> None:
    """When it is used up, what is left of the record is masked unseen; the next record has its own."""
    monkeypatch.setattr(policy_module, "RECORD_BUDGET", -1.0)
    made = redactor()
    with made.record():
        monkeypatch.setattr(policy_module, "RECORD_BUDGET", 60.0)
        assert made.text("log.body", "password: abc") == "[REDACTED:budget]"
        assert made.value("a", {"b": "token=abc"}) == "[REDACTED:budget]"
    with made.record():
        assert made.text("log.body", "nothing") == "nothing"
    assert made.counts() == {"budget": 2}


def test_too_many_matches_are_masked_unseen() -> None:
    """A text that is nothing but secrets is not worth the time."""
    assert redactor().value(MESSAGES, [f"{TOKEN} " * 12_000]) == "[REDACTED:budget]"


def test_depth_is_bounded() -> None:
    """What is nested beyond reason is masked, not followed."""
    deep: list = [TOKEN]
    for _ in range(900):
        deep = [deep]
    out = json.dumps(redactor().value("m", deep))
    assert "[REDACTED:depth]" in out
    assert TOKEN not in out


def test_the_users_function_comes_last() -> None:
    """It sees redacted text and its key, for names, attributes and bodies."""
    seen = []

    def custom(key: str, text: str) -> str:
        seen.append((key, text))
        return text.replace("blue", "red")

    made = redactor(custom=custom)
    assert made.value("colour", f"blue {TOKEN}") == "red [REDACTED:github]"
    assert made.text("span.name", "blue") == "red"
    assert seen == [("colour", "blue [REDACTED:github]"), ("span.name", "blue")]


@pytest.mark.parametrize("custom", [lambda key, text: 1 / 0, lambda key, text: None], ids=["raises", "no text"])
def test_a_broken_function_is_not_believed(custom) -> None:
    """The text is masked and the failure is counted; with fail_closed the record is refused."""
    was = guard.swallowed().get("redaction", 0)
    made = redactor(custom=custom)
    assert made.value("a", "text") == "[REDACTED:error]"
    assert made.text("a", "text") == "[REDACTED:error]"
    assert made.counts() == {"error": 2}
    assert guard.swallowed()["redaction"] == was + 2
    with pytest.raises(RedactionFailed):
        redactor(custom=custom, fail_closed=True).value("a", "text")
    with pytest.raises(RedactionFailed):
        redactor(custom=custom, fail_closed=True).text("a", "text")


def test_threads_may_share_one() -> None:
    """Each thread gets what it would get alone, and no redaction goes uncounted."""
    made = redactor(personal="hash", hash_key="k1")
    texts = [f"{EMAIL} and {TOKEN} in {number}" for number in range(500)]
    alone = [redactor(personal="hash", hash_key="k1").text("log.body", text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: [made.text("log.body", text) for text in texts], range(4)))
    assert together == [alone] * 4
    assert made.counts() == {"email": 2000, "github": 2000}


def test_memory_of_clean_texts_is_bounded() -> None:
    """Short texts found clean are remembered, never more than a few thousand, and none that is long."""
    made = redactor()
    for number in range(5000):
        made.text("log.body", f"text {number}")
    made.text("log.body", "x" * 300)
    assert 0 < len(made._texts._clean) <= 4096
    assert not made._texts.is_clean("x" * 300)


def test_remembered_texts_do_not_pass_under_another_name() -> None:
    """That a word is clean elsewhere says nothing about it as a password, in a URL or as messages."""
    made = redactor()
    assert made.value("word", "hunter2") == "hunter2"
    assert made.value("password", "hunter2") == "[REDACTED:name]"
    assert made.value("note", "sig=abc") == "sig=abc"
    assert made.value(attr.URL_QUERY, "sig=abc") == "sig=[REDACTED:name]"
    assert made.value("note", '{"cvv":"abc"}') == '{"cvv":"abc"}'
    assert made.value(MESSAGES, '{"cvv":"abc"}') == '{"cvv":"[REDACTED:name]"}'


SECRETS = [value for name, value, _ in positives.cases() if name in positives.SHAPED]
#: What may stand beside a secret without making another thing of it: no digit, no letter of its own alphabet.
#: No control characters: JSON spells them with digits, which a phone number must not be glued to.
AROUND = st.text(
    st.characters(codec="utf-8", exclude_characters="-_.+/@%'=", exclude_categories=("L", "N", "Cs", "Cc")),
    max_size=30,
)
#: Those whose form tells without regard to what stands beside them.
KEYS = [
    value
    for name, value, _ in positives.cases()
    if name in positives.SHAPED.keys() - {"payment_card", "email", "iban", "phone", "jwt"}
]
PRINTABLE = st.text(string.ascii_letters + string.digits + string.punctuation + " ", max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, object]:
    """A secret, and a value of any shape with the secret somewhere in it."""
    secret = draw(st.sampled_from(SECRETS))
    value: object = draw(AROUND) + secret + draw(AROUND)
    for _ in range(draw(st.integers(0, 5))):
        beside = draw(st.lists(LEAVES, max_size=3))
        place = draw(st.integers(0, len(beside)))
        if draw(st.booleans()):
            value = [*beside[:place], value, *beside[place:]]
        else:
            value = {**{f"k{number}": leaf for number, leaf in enumerate(beside)}, draw(st.text(max_size=8)): value}
    return secret, value


@settings(max_examples=300, deadline=None)
@given(
    case=planted(),
    key=st.sampled_from(["note", MESSAGES, attr.URL_FULL, attr.EXCEPTION_STACKTRACE, attr.DB_QUERY_TEXT]),
)
def test_a_planted_secret_never_comes_out(case, key) -> None:
    """Whatever is around it, and however deep it is, nothing of what leaves holds it; twice is the same as once."""
    secret, value = case
    spelled = json.dumps(value, ensure_ascii=False)
    for given_value in (value, spelled):
        out = EVERYTHING.value(key, given_value)
        assert secret not in (out if isinstance(out, str) else json.dumps(out, ensure_ascii=False))
        assert EVERYTHING.value(key, out) == out
    assert secret not in EVERYTHING.text("log.body", spelled)


@settings(max_examples=300, deadline=None)
@given(secret=st.sampled_from(KEYS), before=PRINTABLE, after=PRINTABLE)
def test_a_key_is_seen_within_a_word(secret, before, after) -> None:
    """A key of known shape needs no space beside it."""
    assert secret not in EVERYTHING.text("log.body", before + secret + after)


@settings(max_examples=300, deadline=None)
@given(
    text=st.lists(
        st.sampled_from(SECRETS)
        | st.text(max_size=12)
        | st.sampled_from(["password=", "token: ", '"', "[REDACTED:", "]", "://a:", "@"])
    ).map("".join)
)
@example(text="password=[REDACTED:jwt]x")
@example(text="[REDACTED:nothing]")
def test_twice_is_once(text) -> None:
    """What was redacted is clean, whatever was glued together."""
    once = EVERYTHING.text("log.body", text)
    assert EVERYTHING.text("log.body", once) == once


def test_options_come_from_the_environment() -> None:
    """Each simple option has its variable; the key is hidden where options are shown."""
    environ = {
        "AUMOS_OTEL_REDACTION_PERSONAL": "hash",
        "AUMOS_OTEL_REDACTION_HASH_KEY": "k1",
        "AUMOS_OTEL_REDACTION_KEYS": "badge,employee",
        "AUMOS_OTEL_REDACTION_FAIL_CLOSED": "true",
    }
    options = RedactionOptions().resolve(environ, {}, {})
    assert (options.personal, options.keys, options.fail_closed) == ("hash", ("badge", "employee"), True)
    assert Redactor(options).value("badge", "b") == "[REDACTED:name]"


def test_a_megabyte_of_prose_is_within_the_budget() -> None:
    """The longest prompt does not use up the time of its record by its length alone."""
    prompt = "The queue moved behind the router: latency fell from 120 ms to 85 ms, which was well-received. " * 10_000
    assert redactor(personal="mask").value(MESSAGES, [prompt]) == [prompt]
