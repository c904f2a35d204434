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

    from aumos_otel.llm.metrics import Bag
    from aumos_otel.llm.settings import LLMSettings


@dataclass(frozen=True, slots=True)
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
    """

    __slots__ = ("_children", "_counted_inside", "_missing_inside", "_readings", "_set", "delegated", "has_inner_call")

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._set = Usage()
        self._children: list[Share] = []
        self._counted_inside = False
        self._missing_inside = 0
        #: Somebody inside records the metrics of the call.
        self.delegated = False
        #: That is a call of ours.
        self.has_inner_call = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded or set so far."""
        return not self._readings and self._set == Usage()

    @property
    def newest(self) -> Reading:
        """What the last response said."""
        return self._readings[-1] if self._readings else Reading()

    def add(self, reading: Reading) -> None:
        """A response; one with a known id replaces what was known of it, but for a usage that it lacks."""
        for known in self._readings:
            if reading.response_id is not None and known.response_id == reading.response_id:
                reading = replace(reading, usage=reading.usage or known.usage)
                self._readings.remove(known)
                break
        self._readings.append(reading)

    def set(self, usage: Usage) -> None:
        """Counts given by hand; they outdo what responses say."""
        given = {field.name: getattr(usage, field.name) for field in fields(Usage)}
        self._set = replace(self._set, **{name: count for name, count in given.items() if count is not None})

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
            shares = [Share(reading, reading.usage or Usage()) for reading in self._own()]
            missing = 0 if shares else max(1, self._missing_inside)
        shares = [share for share in shares if nesting.claim(trace_id, share.reading)]
        return shares, missing + sum(has_output and share.usage.output_tokens is None for share in shares)

    def _own(self) -> list[Reading]:
        own = [reading for reading in self._readings if reading.usage is not None]
        if self._set == Usage():
            return own
        total = functools.reduce(Usage.plus, [reading.usage for reading in own if reading.usage], Usage())
        set_by_hand = {field.name: getattr(self._set, field.name) for field in fields(Usage)}
        given = {name: count for name, count in set_by_hand.items() if count is not None}
        return [replace(self.newest, usage=replace(total, **given))]


def tell(
    shares: list[Share], bag: Bag, settings: LLMSettings, context: Context, *, has_output: bool
) -> dict[str, float | int | str]:
    """Record the metrics of ``shares``; returns the attributes for the call's own span."""
    told: dict[str, float | int | str] = {}
    dollars: list[float] = []
    for share in shares:
        of_share = _bag_of(share, bag)
        if share.to_metrics:
            metrics.tokens(share.usage, of_share, settings, context)
        price = _price(share, bag, settings)
        if price is not None:
            metrics.cost(price, of_share, context)
            dollars += [price] if share.cost_to_span else []
        elif share.usage.output_tokens is not None or not has_output:
            metrics.price_missing(of_share, context)
    own = [share.usage for share in shares if share.to_span]
    if own:
        told.update(_usage_attributes(functools.reduce(Usage.plus, own), settings))
    if dollars:
        told[attr.GEN_AI_USAGE_COST] = sum(dollars)
        told[attr.GEN_AI_USAGE_COST_CURRENCY] = attr.GEN_AI_USAGE_COST_CURRENCY_USD
        told[attr.GEN_AI_USAGE_COST_SOURCE] = attr.GEN_AI_USAGE_COST_SOURCE_LOCAL
        told[attr.AUMOS_LLM_PRICE_VERSION] = settings.price_table.version
    return told


def _bag_of(share: Share, bag: Bag) -> Bag:
    """Metric attributes of one response: its provider and model where it names them."""
    own = dict(bag)
    if share.reading.provider is not None:
        own.setdefault(attr.GEN_AI_PROVIDER_NAME, share.reading.provider)
    if share.reading.model is not None:
        own[attr.GEN_AI_RESPONSE_MODEL] = share.reading.model
    return own


def _price(share: Share, bag: Bag, settings: LLMSettings) -> float | None:
    """By the model that answered, else by the one that was asked."""
    provider = str(bag.get(attr.GEN_AI_PROVIDER_NAME) or share.reading.provider or "")
    for model in (share.reading.model, bag.get(attr.GEN_AI_REQUEST_MODEL)):
        if model is not None:
            price = settings.price_table.cost(
                provider or None, str(model), share.usage, service_tier=share.reading.service_tier
            )
            if price is not None:
                return price
    return None


def _usage_attributes(usage: Usage, settings: LLMSettings) -> dict[str, int]:
    counts = {
        attr.GEN_AI_USAGE_INPUT_TOKENS: usage.input_tokens,
        attr.GEN_AI_USAGE_OUTPUT_TOKENS: usage.output_tokens,
        attr.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: usage.cache_read_tokens,
        attr.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: usage.reasoning_tokens,
    }
    if settings.legacy_names:
        counts[attr.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS] = usage.cache_write_tokens
    if settings.new_names:
        counts[attr.GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS] = usage.cache_write_tokens
    return {name: count for name, count in counts.items() if count is not None}
