"""What a call costs, by a dated table of list prices that ships with the package.

The arithmetic is the providers' own: every token is billed once, at the rate of its kind
(input, cache read, cache write, output), and a prompt above a threshold is billed at the
higher rates as a whole.  Whatever the table does not state has no cost: an unknown model,
an unknown service tier, audio.  A wrong number is worse than none.
"""

from __future__ import annotations

import math
import re
import time
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from aumos_otel.semconv import attributes as attr

from . import price_file
from .shapes.providers import provider_name

if TYPE_CHECKING:
    from datetime import date

    from .price_file import Period, PriceFile, Rates
    from .shapes.reading import Usage

_BUNDLED = "prices.json"
_MILLION = 1_000_000
_DAY = 86_400
_SECOND = 1_000_000_000
#: Models whose price of today is remembered.
_REMEMBERED = 1024

#: Service tiers that are billed at the standard rates.
_STANDARD = (None, "", "default", "standard", "auto", "on_demand", "unspecified")

#: Whose protocol others speak, so that the client's idea of the provider may be wrong.
_PROTOCOL_OWNER = attr.GEN_AI_PROVIDER_NAME_OPENAI

#: Suffixes that name one release of a model: Bedrock's version and a date.
_SUFFIXES = (re.compile(r"-v\d+(:\d+)?$"), re.compile(r"[-@]20\d\d-?\d\d-?\d\d$"))


class PriceTable:
    """Prices by provider and model, as of a date.

    >>> from aumos_otel.llm.pricing import PriceTable
    >>> from aumos_otel.llm.usage import Usage
    >>> table = PriceTable.load(None)
    >>> table.cost("openai", "gpt-5-mini-2025-08-07", Usage(input_tokens=142, output_tokens=67))
    0.0001695
    """

    def __init__(self, *files: PriceFile) -> None:
        #: When the table was compiled; an override's version follows after a ``+``.
        self.version = "+".join(file.version for file in files)
        self._models = {key: periods for file in files for key, periods in file.models.items()}
        self._synonyms = {other: name for file in files for other, name in file.synonyms.items()}
        self._providers = {provider for provider, _ in self._models}
        self._today: dict[tuple[str | None, str], tuple[int, Period | None]] = {}

    @classmethod
    def load(cls, path: str | Path | None = None) -> PriceTable:
        """The bundled table, with the entries of the JSON file at ``path`` laid over it.

        Raises:
            PriceTableError: the file cannot be read or is not a price table.
        """
        bundled = price_file.parse(resources.files(__package__).joinpath(_BUNDLED).read_text("utf-8"), _BUNDLED)
        return cls(bundled) if path is None else cls(bundled, price_file.read(Path(path)))

    def cost(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime | None = None,
        *,
        service_tier: str | None = None,
    ) -> float | None:
        """US dollars for ``usage``; None if the table cannot tell.

        Args:
            provider: ``gen_ai.provider.name``, or None if it is not known.
            model: a model name, dated or not, with or without a provider before a slash.
            usage: the token counts; input and output (for embeddings: input) must be known.
            at: when the call was made; now by default.
            service_tier: as the response names it, e.g. ``flex``.
        """
        if not model or usage.audio_tokens:
            return None
        if at is None:
            period = self._period_today(provider, model)
        else:
            period = self._period(provider, model, at.astimezone(UTC).date())
        rates = None if period is None else _of_tier(period, service_tier, usage)
        return None if rates is None else _bill(rates, usage)

    def _period_today(self, provider: str | None, model: str) -> Period | None:
        today = time.time_ns() // _DAY // _SECOND
        known = self._today.get((provider, model))
        if known is None or known[0] != today:
            if len(self._today) >= _REMEMBERED:
                self._today.clear()
            known = today, self._period(provider, model, datetime.fromtimestamp(today * _DAY, UTC).date())
            self._today[provider, model] = known
        return known[1]

    def _period(self, provider: str | None, model: str, day: date) -> Period | None:
        periods = self._look_up(provider, model.lower())
        return next((period for period in reversed(periods) if period.start <= day), None)

    def _look_up(self, provider: str | None, model: str) -> tuple[Period, ...]:
        for name in _spellings(model):
            found = self._catalog(provider, name)
            if found:
                return found
        prefix, slash, rest = model.partition("/")
        if slash:
            owner = self._known(provider_name(prefix))
            return () if owner is None else self._look_up(owner, rest)
        if provider is None or provider == _PROTOCOL_OWNER:
            return self._only_catalog(model)
        return ()

    def _known(self, provider: str) -> str | None:
        provider = self._synonyms.get(provider, provider)
        return provider if provider in self._providers else None

    def _catalog(self, provider: str | None, name: str) -> tuple[Period, ...]:
        named = provider_name(provider) if provider else ""
        own = self._models.get((named, name))
        return own or self._models.get((self._synonyms.get(named, named), name), ())

    def _only_catalog(self, model: str) -> tuple[Period, ...]:
        """The entry of the one provider that sells a model of this name."""
        for name in _spellings(model):
            found = [periods for (_, known), periods in self._models.items() if known == name]
            if found:
                return found[0] if len(found) == 1 else ()
        return ()


def _spellings(model: str) -> list[str]:
    """The name, and the name without the suffixes of one release, longest first."""
    names = [model.removeprefix("models/")]  # Google's resource name
    for suffix in _SUFFIXES:
        shorter = suffix.sub("", names[-1])
        if shorter != names[-1]:
            names.append(shorter)
    return names


def _of_tier(period: Period, service_tier: str | None, usage: Usage) -> Rates | None:
    """The rates for the tier and the length of the prompt; None if they are not stated."""
    tier = service_tier.lower() if service_tier else None
    standard = tier in _STANDARD
    rates = period.rates if standard else period.service_tiers.get(tier or "")
    if rates is None or usage.input_tokens is None:
        return None
    if not rates.above and standard:
        return rates
    longer = [above for threshold, above in rates.above if usage.input_tokens > threshold]
    if not longer and not standard and any(usage.input_tokens > threshold for threshold, _ in period.rates.above):
        return None  # long prompts have another price, which this tier does not state
    return longer[-1] if longer else rates


def _bill(rates: Rates, usage: Usage) -> float | None:
    """Each token once, at the rate of its kind; None if the counts do not add up."""
    read, write, hour = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0, usage.cache_write_1h_tokens or 0
    output, given = usage.output_tokens, usage.input_tokens
    if output is None and rates.output is None:
        output = 0  # embeddings
    if given is None or output is None or (output and rates.output is None):
        return None
    if not (read or write or hour) and given >= 0 and output >= 0:
        return (given * rates.input + output * _or(rates.output, 0.0)) / _MILLION
    plain = given - read - write
    if min(plain, read, write - hour, hour, output) < 0:
        return None
    write_rate = _or(rates.cache_write, rates.input)
    dollars = math.fsum(
        (
            plain * rates.input,
            read * _or(rates.cache_read, rates.input),
            (write - hour) * write_rate,
            hour * _or(rates.cache_write_1h, write_rate),
            output * _or(rates.output, 0.0),
        )
    )
    return dollars / _MILLION


def _or(rate: float | None, default: float) -> float:
    return default if rate is None else rate
