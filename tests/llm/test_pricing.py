"""What calls cost, against sums done by hand, and price files that are refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from importlib import resources

import pytest

from aumos_otel.errors import PriceTableError
from aumos_otel.llm.price_file import parse
from aumos_otel.llm.pricing import PriceTable
from aumos_otel.llm.usage import Usage

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def table(models: dict, provider: str = "house", **more: object) -> PriceTable:
    """A table with the models of one provider."""
    document = {"version": "2026-11-22", "currency": "USD", "providers": {provider: {"models": models, **more}}}
    return PriceTable(parse(json.dumps(document), "test.json"))


def rates(**more: object) -> dict:
    """A model with one period."""
    return {"periods": [{"input": 2, "output": 10, **more}]}


@pytest.mark.parametrize(
    ("provider", "model", "usage", "dollars"),
    [
        # 142 * 0.25 + 67 * 2 = 35.5 + 134 = 169.5 millionths
        ("openai", "gpt-5-mini", Usage(142, 67), 0.0001695),
        # (142 - 96) * 0.25 + 96 * 0.025 + 67 * 2 = 11.5 + 2.4 + 134 = 147.9
        ("openai", "gpt-5-mini", Usage(142, 67, cache_read_tokens=96), 0.0001479),
        # reasoning is part of the output: the same sum
        ("openai", "gpt-5-mini", Usage(142, 67, cache_read_tokens=96, reasoning_tokens=40), 0.0001479),
        # 1000 * 2.5 + 500 * 10 = 7500
        ("openai", "gpt-4o", Usage(1000, 500), 0.0075),
        # the first release of gpt-4o was dearer: 1000 * 5 + 500 * 15 = 12500
        ("openai", "gpt-4o-2024-05-13", Usage(1000, 500), 0.0125),
        # 10 * 5 + 100 * 0.5 + 10 * 6.25 + 20 * 10 + 50 * 25 = 50 + 50 + 62.5 + 200 + 1250
        ("anthropic", "claude-opus-4-5-20251101", Usage(140, 50, 100, 30, None, 20), 0.0016125),
        # 8 * 0.02 = 0.16
        ("openai", "text-embedding-3-small", Usage(8), 0.00000016),
        # up to 200 000 input tokens: 200000 * 1.25 + 10 * 10 = 250100
        ("gcp.gemini", "gemini-2.5-pro", Usage(200_000, 10), 0.2501),
        # above it, all of them: 200001 * 2.5 + 10 * 15 = 500152.5
        ("gcp.gemini", "gemini-2.5-pro", Usage(200_001, 10), 0.5001525),
        # 0 output is a number, not an unknown one
        ("openai", "gpt-4o", Usage(4, 0), 0.00001),
    ],
)
def test_bundled_prices_add_up(provider, model, usage, dollars) -> None:
    """The bundled table gives the sum that one gets by hand from the list prices."""
    assert PriceTable.load(None).cost(provider, model, usage, at=NOW) == pytest.approx(dollars, rel=1e-12)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("openai", "GPT-5-mini"),
        ("openai", "gpt-5-mini-2025-08-07"),
        ("openai", "gpt-5-mini-2026-01-01"),
        ("openai", "openai/gpt-5-mini"),
        (None, "openai/gpt-5-mini"),
        (None, "gpt-5-mini"),
        ("azure.ai.openai", "gpt-5-mini"),
        ("azure", "azure/gpt-5-mini"),
        ("a-gateway", "openai/gpt-5-mini"),
    ],
)
def test_names_of_one_model_have_one_price(provider, model) -> None:
    """Dated, prefixed, differently cased names, and the clouds that sell the same model."""
    assert PriceTable.load(None).cost(provider, model, Usage(142, 67), at=NOW) == pytest.approx(0.0001695)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("aws.bedrock", "global.anthropic.claude-opus-4-5-20251101-v1:0"),
        ("bedrock", "bedrock/global.anthropic.claude-opus-4-5-20251101-v1:0"),
        ("anthropic", "claude-opus-4-5"),
        ("openai", "claude-opus-4-5"),
        ("openai", "anthropic/claude-opus-4-5-20251101"),
        ("anthropic", "claude-opus-4-5@20251101"),
    ],
)
def test_ids_of_other_clouds_and_proxies_are_understood(provider, model) -> None:
    """A proxy speaks OpenAI's protocol for Anthropic's model; a Bedrock id has prefix and version."""
    # 100 * 5 + 10 * 25 = 750
    assert PriceTable.load(None).cost(provider, model, Usage(100, 10), at=NOW) == pytest.approx(0.00075)


def test_regional_bedrock_profiles_are_dearer_than_the_global_one() -> None:
    """The regional premium is 10 %: 100 * 5.5 + 10 * 27.5 = 825."""
    cost = PriceTable.load(None).cost("aws.bedrock", "us.anthropic.claude-opus-4-5", Usage(100, 10), at=NOW)
    assert cost == pytest.approx(0.000825)


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "gpt-none", Usage(1, 1)),
        ("openai", "", Usage(1, 1)),
        ("openai", None, Usage(1, 1)),
        ("ollama", "gpt-5-mini", Usage(1, 1)),
        ("anthropic", "gpt-5-mini", Usage(1, 1)),
        (None, "nobody/gpt-5-mini", Usage(1, 1)),
        ("openai", "ft:gpt-4o-mini-2024-07-18:house::1", Usage(1, 1)),
        ("openai", "gpt-5-mini", Usage()),
        ("openai", "gpt-5-mini", Usage(None, 5)),
        ("openai", "gpt-5-mini", Usage(5, None)),
        ("openai", "gpt-5-mini", Usage(5, 5, audio_tokens=3)),
        ("openai", "gpt-5-mini", Usage(5, 5, cache_read_tokens=9)),
        ("openai", "gpt-5-mini", Usage(-5, 5)),
        ("openai", "text-embedding-3-small", Usage(5, 5)),
    ],
    ids=range(14),
)
def test_what_the_table_cannot_tell_has_no_cost(provider, model, usage) -> None:
    """An unknown model, a missing or contradictory count, audio: None, never 0."""
    assert PriceTable.load(None).cost(provider, model, usage, at=NOW) is None


@pytest.mark.parametrize(
    ("tier", "millionths"),
    [
        (None, 142 * 0.25 + 67 * 2),
        ("default", 142 * 0.25 + 67 * 2),
        ("auto", 142 * 0.25 + 67 * 2),
        ("batch", 142 * 0.125 + 67 * 1),
        ("flex", 142 * 0.125 + 67 * 1),
        ("PRIORITY", 142 * 0.45 + 67 * 3.6),
    ],
)
def test_service_tiers_have_their_own_rates(tier, millionths) -> None:
    """Batch and flex cost half, priority more."""
    cost = PriceTable.load(None).cost("openai", "gpt-5-mini", Usage(142, 67), at=NOW, service_tier=tier)
    assert cost == pytest.approx(millionths / 1e6)


def test_an_unknown_tier_has_no_cost() -> None:
    """A contract's tier has no public price."""
    bundled = PriceTable.load(None)
    assert bundled.cost("openai", "gpt-5-mini", Usage(1, 1), at=NOW, service_tier="scale") is None


def test_a_tier_that_states_no_long_prompts_has_no_cost_for_them() -> None:
    """Where long prompts cost more, a tier without such a rate is not guessed."""
    prices = table(
        {"m": rates(above=[{"input_tokens": 100, "input": 4}], service_tiers={"flex": {"input": 1, "output": 5}})}
    )
    assert prices.cost("house", "m", Usage(100, 1), service_tier="flex") == pytest.approx(105 / 1e6)
    assert prices.cost("house", "m", Usage(101, 1), service_tier="flex") is None
    assert prices.cost("house", "m", Usage(101, 1)) == pytest.approx((101 * 4 + 10) / 1e6)


def test_the_price_of_the_day_holds() -> None:
    """A period begins at midnight UTC; before the first one there is no price."""
    prices = table(
        {"m": {"periods": [{"from": "2026-01-01", "input": 2}, {"from": "2026-07-01", "input": 1}]}},
    )
    usage = Usage(1_000_000)
    assert prices.cost("house", "m", usage, at=datetime(2025, 12, 31, 23, tzinfo=UTC)) is None
    assert prices.cost("house", "m", usage, at=datetime(2026, 6, 30, 23, 59, tzinfo=UTC)) == pytest.approx(2)
    assert prices.cost("house", "m", usage, at=datetime(2026, 7, 1, tzinfo=UTC)) == pytest.approx(1)
    assert prices.cost("house", "m", usage) == pytest.approx(1)


def test_bundled_history_is_kept() -> None:
    """o3 became cheaper on 2025-06-10: 1000 * 10 + 100 * 40 before, 1000 * 2 + 100 * 8 after."""
    bundled = PriceTable.load(None)
    usage = Usage(1000, 100)
    assert bundled.cost("openai", "o3", usage, at=datetime(2025, 6, 9, tzinfo=UTC)) == pytest.approx(0.014)
    assert bundled.cost("openai", "o3", usage, at=datetime(2025, 6, 10, tzinfo=UTC)) == pytest.approx(0.0028)


def test_a_rate_that_is_not_stated_is_the_input_rate() -> None:
    """Without a cache price cached input costs what input costs."""
    prices = table({"m": rates()})
    assert prices.cost("house", "m", Usage(100, 1, 50, 20, None, 10)) == pytest.approx((100 * 2 + 10) / 1e6)


def test_a_name_that_two_providers_sell_is_not_guessed() -> None:
    """Without a provider only a unique name has a price."""
    entry = {"m": rates()}
    document = {"version": "v", "currency": "USD", "providers": {"a": {"models": entry}, "b": {"models": entry}}}
    prices = PriceTable(parse(json.dumps(document), "test.json"))
    assert prices.cost(None, "m", Usage(1, 1)) is None
    assert prices.cost("b", "m", Usage(1, 1)) is not None


def test_an_override_is_laid_over_the_bundled_table(tmp_path) -> None:
    """The file's entries win, the others stay, and the version says that there is a file."""
    path = tmp_path / "prices.json"
    path.write_text(
        json.dumps(
            {
                "version": "acme-1",
                "currency": "USD",
                "providers": {
                    "openai": {"models": {"gpt-5-mini": {"periods": [{"input": 1, "output": 1}]}}},
                    "house": {"models": {"qwen": {"aliases": ["qwen-fast"], "periods": [{"input": 0, "output": 0}]}}},
                },
            }
        )
    )
    bundled, prices = PriceTable.load(None), PriceTable.load(str(path))
    assert prices.version == f"{bundled.version}+acme-1"
    assert prices.cost("openai", "gpt-5-mini-2025-08-07", Usage(10, 10)) == pytest.approx(20 / 1e6)
    assert prices.cost("house", "qwen-fast", Usage(10, 10)) == 0
    assert prices.cost("openai", "gpt-4o", Usage(10, 10)) == bundled.cost("openai", "gpt-4o", Usage(10, 10))


def test_the_bundled_table_is_dated_and_sourced() -> None:
    """The version is a day, each entry names the page that it is from, output costs more than cached input."""
    document = json.loads(resources.files("aumos_otel.llm").joinpath("prices.json").read_text("utf-8"))
    assert date.fromisoformat(document["version"])
    assert PriceTable.load(None).version == document["version"]
    for provider, catalog in document["providers"].items():
        for name, model in catalog["models"].items():
            assert model["source"].startswith("https://"), (provider, name)
            for period in model["periods"]:
                assert period.get("cache_read", 0) <= period["input"] <= period.get("output", period["input"]), name


GOOD = {"version": "v", "currency": "USD", "providers": {"p": {"models": {"m": {"periods": [{"input": 1}]}}}}}


def changed(place: list, value: object) -> dict:
    """`GOOD` with another value at a place."""
    document = json.loads(json.dumps(GOOD))
    target = document
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    return document


MODEL = ["providers", "p", "models", "m"]
PERIOD = [*MODEL, "periods", 0]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], ["an object with version, currency, providers"]),
        ({"version": "v"}, ["'currency'"]),
        (changed(["currency"], "EUR"), ["currency", "EUR", "'USD'"]),
        (changed(["version"], 7), ["version", "7", "a date"]),
        (changed(["providers"], {}), ["providers", "at least one"]),
        (changed(["extra"], 1), ["extra", "one of the keys"]),
        (changed(["providers", "p", "models"], []), ["p.models", "[]"]),
        (changed(MODEL, {"price": 1}), ["p/m", "'periods'"]),
        (changed([*MODEL, "periods"], []), ["p/m.periods", "at least one"]),
        (changed([*MODEL, "aliases"], "x"), ["p/m.aliases", "'x'", "a list of names"]),
        (changed([*MODEL, "aliases"], ["M"]), ["p/m", "'M'", "once"]),
        (changed([*PERIOD, "input"], "1"), ["p/m.periods[0].input", "'1'", "US dollars per million"]),
        (changed([*PERIOD, "input"], -1), ["p/m.periods[0].input", "-1"]),
        (changed([*PERIOD, "input"], True), ["p/m.periods[0].input", "True"]),
        (changed([*PERIOD, "output"], None), ["p/m.periods[0].output", "None"]),
        (changed([*PERIOD, "from"], "soon"), ["p/m.periods[0].from", "'soon'", "a date"]),
        (changed([*PERIOD, "cached"], 1), ["p/m.periods[0].cached", "cache_read"]),
        (changed([*PERIOD, "service_tiers"], []), ["service_tiers"]),
        (changed([*PERIOD, "service_tiers"], {"flex": {}}), ["p/m.periods[0].service_tiers.flex", "'input'"]),
        (changed([*PERIOD, "above"], 1), ["p/m.periods[0].above[0]"]),
        (changed([*PERIOD, "above"], [{"input_tokens": 0}]), ["above[0].input_tokens", "positive"]),
        (changed([*MODEL, "periods"], [{"input": 1, "from": "2026-02-01"}, {"input": 1}]), ["ascending `from`"]),
    ],
    ids=range(22),
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path, document, words) -> None:
    """The error names the file, the entry, what was seen, what was expected and what to do."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(document))
    with pytest.raises(PriceTableError) as caught:
        PriceTable.load(path)
    for word in [str(path), *words, "expected", "leave `prices` unset"]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "utf-8"),
        (b'{"version": "1", "version": "2"}', "'version' twice"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_file_that_is_no_json_is_refused(tmp_path, content, word) -> None:
    """Broken JSON, another encoding, a key twice."""
    path = tmp_path / "prices.json"
    path.write_bytes(content)
    with pytest.raises(PriceTableError, match=word):
        PriceTable.load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    """The path is in the message."""
    with pytest.raises(PriceTableError, match=r"nowhere\.json"):
        PriceTable.load(tmp_path / "nowhere.json")


def test_not_a_number_is_no_price(tmp_path) -> None:
    """Python's JSON reads NaN and Infinity; a price is neither."""
    path = tmp_path / "prices.json"
    for word in ("NaN", "Infinity"):
        path.write_text(json.dumps(GOOD).replace('"input": 1', f'"input": {word}'))
        with pytest.raises(PriceTableError, match=r"periods\[0\].input"):
            PriceTable.load(path)
