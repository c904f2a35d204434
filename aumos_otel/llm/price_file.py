"""Price tables as files: JSON, checked on the way in.

A provider has models, a model has periods (from a day on), a period has rates in US dollars per
million tokens: ``input``, ``output``, ``cache_read``, ``cache_write``, ``cache_write_1h``, higher
ones ``above`` a number of input tokens, and others again by ``service_tiers``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from aumos_otel.errors import PriceTableError
from aumos_otel.semconv import attributes as attr

from .shapes.providers import provider_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CURRENCY = attr.GEN_AI_USAGE_COST_CURRENCY_USD
_REMEDY = "fix the file, or leave `prices` unset to use the bundled table"
_RATE_KEYS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens; None where the provider has no such price.

    Attributes:
        input: input that is in no cache.
        output: output, reasoning included; None for embeddings.
        cache_read: input served from a cache; None: at the input rate.
        cache_write: input stored in a cache; None: at the input rate.
        cache_write_1h: input stored for an hour; None: at the rate of `cache_write`.
        above: thresholds of input tokens, ascending, and the rates beyond each.
    """

    input: float
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    above: tuple[tuple[int, Rates], ...] = ()


@dataclass(frozen=True, slots=True)
class Period:
    """The rates that hold from a day on (UTC), or since ever."""

    start: date
    rates: Rates
    service_tiers: Mapping[str, Rates]


@dataclass(frozen=True, slots=True)
class PriceFile:
    """One file: its version, its models by provider and name, other names of its providers."""

    version: str
    models: Mapping[tuple[str, str], tuple[Period, ...]]
    synonyms: Mapping[str, str]


def read(path: Path) -> PriceFile:
    """The price table in the file at ``path``.

    Raises:
        PriceTableError: the file cannot be read or is not a price table.
    """
    try:
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceTableError(
            f"price table {path}", seen=str(error), expected="a readable UTF-8 file", remedy=_REMEDY
        ) from error
    return parse(content, str(path))


def parse(content: str, name: str) -> PriceFile:
    """The price table in the JSON ``content`` of the file ``name``.

    Raises:
        PriceTableError: the content is no price table; names the entry, what was seen and what was expected.
    """
    try:
        document = json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise PriceTableError(
            f"price table {name}", seen=str(error), expected="a JSON document", remedy=_REMEDY
        ) from error
    return _Reader(name).table(document)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; of two equal keys one would win silently."""
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice in one object")
    return found


def _rates_of(rates: dict[str, float], above: tuple[tuple[int, Rates], ...] = ()) -> Rates:
    return Rates(
        input=rates["input"],
        output=rates.get("output"),
        cache_read=rates.get("cache_read"),
        cache_write=rates.get("cache_write"),
        cache_write_1h=rates.get("cache_write_1h"),
        above=above,
    )


class _Reader:
    """Checks one document on the way into a table; an error names file, place and value."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _refuse(self, place: str, seen: object, expected: str) -> PriceTableError:
        where = f"price table {self._name}, {place}" if place else f"price table {self._name}"
        return PriceTableError(where, seen=seen, expected=expected, remedy=_REMEDY)

    def _object(
        self, value: object, place: str, *, required: tuple[str, ...], optional: tuple[str, ...]
    ) -> dict[str, object]:
        known = (*required, *optional)
        if not isinstance(value, dict):
            raise self._refuse(place, value, f"an object with {', '.join(known)}")
        for key in required:
            if key not in value:
                raise self._refuse(place, sorted(value), f"the key {key!r}")
        for key in value:
            if key not in known:
                raise self._refuse(f"{place}.{key}".strip("."), key, f"one of the keys {', '.join(known)}")
        return value

    def _entries(self, value: object, place: str) -> dict[str, object]:
        if not isinstance(value, dict) or not value:
            raise self._refuse(place, value, "an object with at least one entry")
        return value

    def table(self, document: object) -> PriceFile:
        top = self._object(document, "", required=("version", "currency", "providers"), optional=("note",))
        if top["currency"] != _CURRENCY:
            raise self._refuse("currency", top["currency"], f"{_CURRENCY!r}, the unit of the cost attribute")
        if not isinstance(top["version"], str) or not top["version"]:
            raise self._refuse("version", top["version"], 'a date such as "2026-11-22"')
        models: dict[tuple[str, str], tuple[Period, ...]] = {}
        synonyms: dict[str, str] = {}
        for provider, value in self._entries(top["providers"], "providers").items():
            catalog = self._object(value, provider, required=("models",), optional=("also",))
            for other in self._names(catalog.get("also", []), f"{provider}.also"):
                synonyms[other] = provider
            for model, entry in self._entries(catalog["models"], f"{provider}.models").items():
                periods, names = self._model(entry, f"{provider}/{model}")
                for name in (model, *names):
                    key = (provider_name(provider), name.lower())
                    if key in models:
                        raise self._refuse(f"{provider}/{model}", name, "each name and alias once in a provider")
                    models[key] = periods
        return PriceFile(top["version"], models, synonyms)

    def _model(self, value: object, place: str) -> tuple[tuple[Period, ...], list[str]]:
        entry = self._object(value, place, required=("periods",), optional=("source", "aliases"))
        periods = entry["periods"]
        if not isinstance(periods, list) or not periods:
            raise self._refuse(f"{place}.periods", periods, "a list of at least one period")
        parsed = tuple(self._period(period, f"{place}.periods[{i}]") for i, period in enumerate(periods))
        starts = [period.start for period in parsed]
        if starts != sorted(set(starts)):
            raise self._refuse(f"{place}.periods", [str(start) for start in starts], "periods by ascending `from`")
        return parsed, self._names(entry.get("aliases", []), f"{place}.aliases")

    def _names(self, value: object, place: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
            raise self._refuse(place, value, "a list of names")
        return value

    def _period(self, value: object, place: str) -> Period:
        period = self._object(
            value, place, required=("input",), optional=("from", *_RATE_KEYS, "above", "service_tiers")
        )
        tiers = period.get("service_tiers", {})
        if not isinstance(tiers, dict):
            raise self._refuse(f"{place}.service_tiers", tiers, "an object of rates by tier")
        return Period(
            start=self._day(period.get("from"), f"{place}.from"),
            rates=self._rates(period, place),
            service_tiers={tier: self._tier(rates, f"{place}.service_tiers.{tier}") for tier, rates in tiers.items()},
        )

    def _day(self, value: object, place: str) -> date:
        if value is None:
            return date.min
        try:
            return date.fromisoformat(value if isinstance(value, str) else "")
        except ValueError:
            raise self._refuse(place, value, 'a date such as "2026-11-22"') from None

    def _tier(self, value: object, place: str) -> Rates:
        return self._rates(self._object(value, place, required=("input",), optional=(*_RATE_KEYS, "above")), place)

    def _rates(self, value: dict[str, object], place: str) -> Rates:
        rates = {key: self._rate(value[key], f"{place}.{key}") for key in _RATE_KEYS if key in value}
        above: list[tuple[int, Rates]] = []
        steps = value.get("above", [])
        for i, step in enumerate(steps if isinstance(steps, list) else [steps]):
            at = f"{place}.above[{i}]"
            entry = self._object(step, at, required=("input_tokens",), optional=_RATE_KEYS)
            threshold = entry["input_tokens"]
            if type(threshold) is not int or threshold <= (above[-1][0] if above else 0):
                raise self._refuse(f"{at}.input_tokens", threshold, "a positive whole number, ascending")
            higher = {key: self._rate(entry[key], f"{at}.{key}") for key in _RATE_KEYS if key in entry}
            above.append((threshold, _rates_of(rates | higher)))
        return _rates_of(rates, tuple(above))

    def _rate(self, value: object, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise self._refuse(place, value, "US dollars per million tokens, 0 or more")
        return float(value)
