"""What the responses of one call used, each counted once."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from aumos_otel.llm import metrics, nesting
from aumos_otel.llm.usage import Reading, Usage
from aumos_otel.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from aumos_otel.llm.installation import Installation
    from aumos_otel.llm.metrics import Bag, Series
    from aumos_otel.llm.pricing import PriceTable
    from aumos_otel.llm.settings import LLMSettings


@dataclass(slots=True)
class Share:
    """The usage of one response, and what is still to be told of it."""

    reading: Reading
    usage: Usage
    to_span: bool = True
    to_metrics: bool = True
    cost_to_span: bool = True


class Account:
    """Collects what a call learns about its usage, from whomever, and settles it when the call ends.

    The first of these that knows it wins: a call inside, what was recorded or set, the
    function's result.

    Attributes:
        delegated: somebody inside records the metrics of the call.
        has_inner_call: that is a call of ours.
        newest: what the last response said; None before the first.
    """

    __slots__ = (
        "_children",
        "_counted_inside",
        "_missing_inside",
        "_readings",
        "_set",
        "delegated",
        "has_inner_call",
        "newest",
    )

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._set: Usage | None = None
        self._children: list[Share] = []
        self._counted_inside = False
        self._missing_inside = 0
        self.delegated = False
        self.has_inner_call = False
        self.newest: Reading | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded or set so far."""
        return not self._readings and self._set is None

    def add(self, reading: Reading) -> None:
        """A response; one with a known id replaces what was known of it, but for a usage that it lacks."""
        for known in self._readings if reading.response_id is not None else ():
            if known.response_id == reading.response_id:
                reading = replace(reading, usage=reading.usage or known.usage)
                self._readings.remove(known)
                break
        self._readings.append(reading)
        self.newest = reading

    def set(self, usage: Usage) -> None:
        """Counts given by hand; they outdo what responses say."""
        if usage != _NOTHING:
            self._set = usage if self._set is None else _over(self._set, usage)

    def child_used(self, reading: Reading, *, has_cost: bool, has_metrics: bool) -> None:
        """A span of somebody else reports the usage; cost, and perhaps metrics, are left to us."""
        self._counted_inside = True
        self.delegated = self.delegated or has_metrics
        share = Share(
            reading, reading.usage or Usage(), to_span=False, to_metrics=not has_metrics, cost_to_span=not has_cost
        )
        self._children.append(share)

    def child_ended(self, *, counted: bool, missing: int) -> None:
        """A call of ours inside has ended, having told its usage or missed it."""
        self.delegated = self.has_inner_call = True
        self._counted_inside = self._counted_inside or counted
        self._missing_inside += missing

    def settle(self, trace_id: int, *, has_output: bool) -> tuple[list[Share], int]:
        """What to tell, and the number of calls whose usage is not (wholly) known.

        ``has_output`` says that a usage without output tokens is no whole one.
        """
        if self._counted_inside:
            shares, missing = self._children, self._missing_inside
        else:
            shares = self._own()
            missing = 0 if shares else max(1, self._missing_inside)
        claimed = [
            share for share in shares if share.reading.response_id is None or nesting.claim(trace_id, share.reading)
        ]
        if has_output:
            for share in claimed:
                if share.usage.output_tokens is None:
                    missing += 1
        return claimed, missing

    def _own(self) -> list[Share]:
        by_hand = self._set
        if by_hand is None:
            return [Share(reading, reading.usage) for reading in self._readings if reading.usage is not None]
        known = [reading.usage for reading in self._readings if reading.usage is not None]
        usage = _over(functools.reduce(Usage.plus, known), by_hand) if known else by_hand
        return [Share(Reading(usage=usage) if self.newest is None else replace(self.newest, usage=usage), usage)]


_NOTHING = Usage()


def _over(usage: Usage, more: Usage) -> Usage:
    """``usage`` with the counts that ``more`` states in their place."""
    stated = {field.name: getattr(more, field.name) for field in fields(Usage)}
    return replace(usage, **{name: count for name, count in stated.items() if count is not None})


def tell(  # noqa: PLR0917 - called from one place
    shares: list[Share], verb: str, bag: Bag, series: Series, installed: Installation, context: Context, told: Bag
) -> None:
    """Record the metrics of ``shares``, and tell the attributes for the call's own span.

    Args:
        shares: what `Account.settle` gave.
        verb: of the operation.
        bag: what is known of the call.
        series: of the call.
        installed: what is installed.
        context: of the call.
        told: takes the attributes.
    """
    own: Usage | None = None
    dollars: float | None = None
    for share in shares:
        usage = share.usage
        of_share = _series_of(share.reading, verb, bag, series, installed)
        if share.to_metrics:
            of_share.tokens(usage, context)
        price = _price(share.reading, usage, bag, installed.prices())
        if price is not None:
            of_share.write(metrics.COST, price, context)
            if share.cost_to_span:
                dollars = price if dollars is None else dollars + price
        elif usage.output_tokens is not None or nesting.family_of(verb) != nesting.INFERENCE:
            installed.series.count(metrics.PRICE_MISSING)
            of_share.write(metrics.PRICE_MISSING, 1, context)
        if share.to_span:
            own = usage if own is None else own.plus(usage)
    if own is not None:
        _tell_usage(told, own, installed.settings)
    if dollars is not None:
        told[attr.GEN_AI_USAGE_COST] = dollars
        told[attr.GEN_AI_USAGE_COST_CURRENCY] = attr.GEN_AI_USAGE_COST_CURRENCY_USD
        told[attr.GEN_AI_USAGE_COST_SOURCE] = attr.GEN_AI_USAGE_COST_SOURCE_LOCAL
        told[attr.AUMOS_LLM_PRICE_VERSION] = installed.prices().version


def _series_of(reading: Reading, verb: str, bag: Bag, series: Series, installed: Installation) -> Series:
    """That of one response, which may name another provider and model than the call."""
    provider, model = reading.provider, reading.model
    if model is not None and model == bag.get(attr.GEN_AI_RESPONSE_MODEL):
        model = None
    if provider is not None and attr.GEN_AI_PROVIDER_NAME in bag:
        provider = None
    if provider is None and model is None:
        return series
    own = dict(bag)
    if provider is not None:
        own[attr.GEN_AI_PROVIDER_NAME] = provider
    if model is not None:
        own[attr.GEN_AI_RESPONSE_MODEL] = model
    return installed.series.of(verb, own)


def _price(reading: Reading, usage: Usage, bag: Bag, prices: PriceTable) -> float | None:
    """By the model that answered, else by the one that was asked."""
    provider = bag.get(attr.GEN_AI_PROVIDER_NAME) or reading.provider
    if provider is not None and type(provider) is not str:
        provider = str(provider)
    for model in (reading.model, bag.get(attr.GEN_AI_REQUEST_MODEL)):
        if model is not None:
            price = prices.cost(
                provider or None,
                model if type(model) is str else str(model),
                usage,
                service_tier=reading.service_tier,
            )
            if price is not None:
                return price
    return None


def _tell_usage(told: Bag, usage: Usage, settings: LLMSettings) -> None:
    if usage.input_tokens is not None:
        told[attr.GEN_AI_USAGE_INPUT_TOKENS] = usage.input_tokens
    if usage.output_tokens is not None:
        told[attr.GEN_AI_USAGE_OUTPUT_TOKENS] = usage.output_tokens
    if usage.cache_read_tokens is not None:
        told[attr.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS] = usage.cache_read_tokens
    if usage.reasoning_tokens is not None:
        told[attr.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_tokens
    if usage.cache_write_tokens is not None:
        if settings.legacy_names:
            told[attr.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS] = usage.cache_write_tokens
        if settings.new_names:
            told[attr.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS] = usage.cache_write_tokens
