"""Which SLIs a span can be an event of at all: found by a few look-ups, however many SLIs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.processors.sli_facts import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aumos_otel.slo.outlook import Discriminator
    from aumos_otel.slo.sli import Sli

    #: The index of an SLI and its `Sli.verdict`.
    Candidate = tuple[int, Callable[[Any], bool | None]]

#: What an SLI can be found by; a list, for one, is equal to none of the values that are looked up.
_SCALARS: Final = frozenset({str, int, float, bool})


class SliIndex:
    """The SLIs, by what they demand.

    Spans of equal kind share a site, and of equal name and scope where an SLI asks for those: so there are only
    so many sites, whatever the spans are called.

    Args:
        slis: to be found.
        before: another index, whose SLIs come first.

    Attributes:
        slis: all of them.
        demands: what each demands, in their order.
    """

    def __init__(self, slis: Iterable[Sli] = (), before: SliIndex | None = None) -> None:
        more = tuple(slis)
        self.slis: tuple[Sli, ...] = (*before.slis, *more) if before else more
        demands = tuple(sli.discriminator for sli in more)
        self.demands: tuple[Discriminator, ...] = (*before.demands, *demands) if before else demands
        self._names = frozenset(name for demand in self.demands for name in demand.names or ())
        self._scopes = frozenset(scope for demand in self.demands for scope in demand.scopes or ())
        self._sites: dict[tuple[int | str, str | None, str | None], _Site] = {}
        self._read: dict[tuple[str, ...], bool] = {}

    def reads(self, keys: tuple[str, ...]) -> bool:
        """Whether an SLI may look at one of these attributes; there are few such tuples."""
        known = self._read.get(keys)
        if known is None:
            told = [repr(sli) for sli in self.slis]
            known = self._read[keys] = any(repr(key)[1:-1] in text for key in keys for text in told)
        return known

    def candidates(
        self, kind: int | str, name: str, scope: str, attributes: Mapping[str, Any]
    ) -> tuple[str, Sequence[Candidate]]:
        """The kind in a word, and the SLIs that may say yes; ``kind`` is the number of a `SpanKind`, or that word."""
        key = kind, name if name in self._names else None, scope if scope in self._scopes else None
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = self._site(*key)
        if not site.tables:
            return site.kind, site.always
        chosen = site.always
        for attribute, table in site.tables.items():
            value = attributes.get(attribute)
            if value is not None:
                chosen += table.by_value.get(value, table.any_value) if type(value) in _SCALARS else table.all
        return site.kind, chosen

    def _site(self, kind: int | str, name: str | None, scope: str | None) -> _Site:
        word = kind if isinstance(kind, str) else KINDS.get(kind, "")
        possible = [
            index
            for index, demand in enumerate(self.demands)
            if _allows(demand.kinds, word) and _allows(demand.names, name) and _allows(demand.scopes, scope)
        ]
        spread: dict[str, set[object]] = {}
        for index in possible:
            for attribute, values in self.demands[index].attributes.items():
                spread.setdefault(attribute, set()).update(values or ())
        site = _Site(word)
        for index in possible:
            demanded = self.demands[index].attributes
            # The attribute by which most SLIs are told apart: the route rather than the method.
            key = max(demanded, key=lambda each: (demanded[each] is not None, len(spread[each])), default=None)
            site.add((index, self.slis[index].verdict), key, None if key is None else demanded[key])
        return site


class _Site:
    """The SLIs that spans of one kind, name and scope can be events of.

    Attributes:
        kind: in a word.
        always: those that have to be asked whatever the attributes are.
        tables: the others, by an attribute that they demand.
    """

    __slots__ = ("always", "kind", "tables")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.always: tuple[Candidate, ...] = ()
        self.tables: dict[str, _Table] = {}

    def add(self, candidate: Candidate, attribute: str | None, values: Iterable[object] | None) -> None:
        """Add an SLI that demands one of the ``values`` of the attribute, or any of it where they are None."""
        if attribute is None:
            self.always = (*self.always, candidate)
        else:
            self.tables.setdefault(attribute, _Table()).add(candidate, values)


class _Table:
    """SLIs by the value that they demand of one attribute.

    Attributes:
        by_value: those to be asked when it has this value, with those of `any_value`.
        any_value: those that demand no certain one.
    """

    __slots__ = ("all", "any_value", "by_value")

    def __init__(self) -> None:
        self.by_value: dict[object, tuple[Candidate, ...]] = {}
        self.any_value: tuple[Candidate, ...] = ()
        self.all: tuple[Candidate, ...] = ()

    def add(self, candidate: Candidate, values: Iterable[object] | None) -> None:
        """Add an SLI that demands one of ``values``, or any at all."""
        self.all = (*self.all, candidate)
        if values is None:
            self.any_value = (*self.any_value, candidate)
            self.by_value = {value: (*others, candidate) for value, others in self.by_value.items()}
        else:
            for value in frozenset(values):
                self.by_value[value] = (*self.by_value.get(value, self.any_value), candidate)


def _allows(demanded: frozenset[str] | None, seen: str | None) -> bool:
    """Whether what is seen is among what is demanded, if anything is."""
    return demanded is None or seen in demanded
