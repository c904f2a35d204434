"""The content policy, at capture and cut down for a destination."""

from __future__ import annotations

import itertools
import json

import pytest
from redaction.report import redactor

from aumos_otel.llm import content as captured_content
from aumos_otel.redaction import DROP
from aumos_otel.redaction.content import POLICIES, cut
from aumos_otel.semconv import attributes as attr

EMAIL = "ann@example.com"
MESSAGES = [{"role": "user", "parts": [{"type": "text", "content": f"I am {EMAIL}"}]}]
MASKED = [{"role": "user", "parts": [{"type": "text", "content": "I am [REDACTED:email]"}]}]
KEY = attr.GEN_AI_INPUT_MESSAGES
MASKING = redactor(personal="mask")


@pytest.mark.parametrize(("captured", "wanted"), list(itertools.product(POLICIES, POLICIES)))
@pytest.mark.parametrize("as_text", [True, False], ids=["span", "event"])
def test_a_destination_gets_the_stricter_of_both(captured, wanted, as_text) -> None:
    """Cut down from what was captured it is what would have been captured under the stricter policy."""
    render = captured_content.render if as_text else captured_content.plain
    value = render(MESSAGES, captured)
    expected = render(MESSAGES, min(captured, wanted, key=POLICIES.index))
    if captured == "redacted" and wanted == "hash":
        expected = render(MASKED, "hash")
    assert cut(KEY, value, captured, wanted, MASKING) == (DROP if expected is None else expected)


def test_redacted_masks_inside_the_parts() -> None:
    """Structure stays, secrets and personal data go."""
    assert captured_content.plain(MESSAGES, "redacted") == MASKED
    assert json.loads(captured_content.render(MESSAGES, "redacted")) == MASKED


def test_redaction_comes_before_the_cut() -> None:
    """A secret at the end of what fits is masked as a whole, not left by half."""
    token = "sk-ant-" + "a1B2" * 20
    words = "x " * (captured_content.TEXT_LIMIT // 2 - 10) + token + " y" * 100
    shown = captured_content.render([words], "redacted")
    assert "sk-ant" not in shown
    assert "[REDACTED:anthropic]" in shown


@pytest.mark.parametrize(
    "key", [attr.GEN_AI_TOOL_CALL_ARGUMENTS, attr.GEN_AI_TOOL_CALL_RESULT, attr.GEN_AI_RETRIEVAL_QUERY_TEXT]
)
@pytest.mark.parametrize("value", [EMAIL, '{"to":"ann@example.com"}', {"to": EMAIL}, [EMAIL]])
def test_one_fingerprint_of_a_value_without_structure(key, value) -> None:
    """Arguments, results and queries leave no name behind."""
    assert cut(key, value, "full", "hash", MASKING).startswith("sha256:")
    assert EMAIL not in json.dumps(cut(key, value, "full", "redacted", MASKING))


@pytest.mark.parametrize("value", ["not JSON", "[", '"text"', '{"role":"user","parts":[]}', "[" * 5000])
def test_odd_text_is_digested(value) -> None:
    """What is no list of messages shows nothing of itself."""
    assert "not" not in cut(KEY, value, "full", "hash", MASKING)


def test_other_attributes_stay() -> None:
    """Only content is subject to the policy of content."""
    assert cut("note", EMAIL, "full", "none", MASKING) == EMAIL


@pytest.mark.parametrize(("captured", "wanted"), [("all", "none"), ("full", ""), ("full", "FULL")])
def test_an_unknown_policy_is_an_error(captured, wanted) -> None:
    """Never show by mistake."""
    with pytest.raises(ValueError, match="content policy"):
        cut(KEY, "[]", captured, wanted, MASKING)
