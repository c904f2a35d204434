"""PromQL of the definitions: whether it can be parsed, and whether it asks for what an SLI needs.

The parser is written in Rust and ends the process when an expression is nested too deeply, so it is asked only
about what is short and shallow.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aumos_otel.slo import promql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.slo.finding import Grade
    from aumos_otel.slo.indicator import Query

#: Characters and levels of an expression that is given to the parser.
LONGEST: Final = 8 * 1024
DEEPEST: Final = 64
#: Seconds that stand in for the window of a template.
_WINDOW: Final = 300

_STRING: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`", re.DOTALL)
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\$\{?\w+\}?|\[\[.*?\]\]")
_OVER_TIME: Final = ("rate", "irate", "increase")


class Fault(NamedTuple):
    """What is wrong with an expression."""

    grade: Grade
    rule: str
    text: str
    remedy: str


def lint_query(query: Query) -> Iterator[Fault]:
    """The faults of a query that counts events."""
    windows = promql.templated(query.text, _WINDOW) != promql.clean(query.text)
    if query.form == "template" and not windows:
        text = "it has no {{.window}}: the same range would be asked for whatever the window is"
        yield Fault("error", "promql-window", text, "write {{.window}} where the range goes")
    if query.form != "template" and windows:
        text = f"{{{{.window}}}} has no meaning in a {query.form}"
        yield Fault("error", "promql-window", text, "write the query as {template: …}")
        return
    yield from lint_expression(query.text, counter=query.form == "counter")


def lint_expression(text: str, *, counter: bool = False) -> Iterator[Fault]:
    """The faults of an expression; one for a ``counter`` has to be a selector of series."""
    plain = promql.templated(text, _WINDOW)
    bare = _STRING.sub('""', plain)
    if len(plain) > LONGEST or _depth(bare) > DEEPEST:
        what = f"{len(plain)} characters and {_depth(bare)} levels; only {LONGEST} and {DEEPEST} are tried"
        yield Fault("error", "promql", f"it is not checked: it has {what}", "record parts of it by rules of their own")
        return
    left = _PLACEHOLDER.search(bare)
    if left is not None:
        text = f"Prometheus knows no {left[0]!r}"
        yield Fault("error", "promql", text, "write {{.window}} for the range, and all else out")
        return
    try:
        parser = importlib.import_module("promql_parser")
    except ModuleNotFoundError:
        text = "PromQL is not checked: promql-parser is not installed"
        yield Fault("warning", "promql-unchecked", text, "run: pip install 'aumos-otel[slo]'")
        return
    try:
        tree = parser.parse(plain)
    except ValueError as error:
        yield Fault("error", "promql", f"it cannot be parsed: {error}", "correct it")
        return
    yield from _shape(parser, tree, counter=counter)


def _shape(parser: Any, tree: Any, *, counter: bool) -> Iterator[Fault]:
    if counter and not isinstance(tree, parser.VectorSelector):
        text = "it is to be a selector of counter series"
        remedy = "leave functions and ranges away, or put {{.window}} where the range goes"
        yield Fault("error", "promql-counter", text, remedy)
    for node in _nodes(parser, tree):
        if isinstance(node, parser.VectorSelector):
            yield from _selector(parser, node)
        elif isinstance(node, parser.Call) and node.func.name in _OVER_TIME:
            for argument in node.args:
                if isinstance(argument, parser.SubqueryExpr) and _aggregates(parser, argument):
                    text = f"{node.func.name}() over a sum cannot tell a restart from a fall"
                    yield Fault("error", "promql-sum-first", text, f"sum what {node.func.name}() of each series gives")


def _selector(parser: Any, node: Any) -> Iterator[Fault]:
    matchers = node.matchers.matchers
    if node.matchers.or_matchers:
        text = "Prometheus knows no 'or' between matchers"
        yield Fault("error", "promql", text, "write a regular expression, or two selectors")
    named = node.name or any(
        matcher.name == "__name__" and matcher.op in (parser.MatchOp.Equal, parser.MatchOp.Re) for matcher in matchers
    )
    if not named:
        text = f"the selector {node.prettify()} names no metric: it reads every series there is"
        yield Fault("error", "promql-selector", text, "put the metric's name before the braces")
    for matcher in matchers:
        if matcher.op == parser.MatchOp.Re and matcher.value == ".*":
            text = f'{matcher.name}=~".*" matches everything, and is tried on each series'
            yield Fault("warning", "promql-cost", text, "leave the matcher out")


def _aggregates(parser: Any, tree: Any) -> bool:
    return any(isinstance(node, parser.AggregateExpr) for node in _nodes(parser, tree))


def _nodes(parser: Any, tree: Any) -> list[Any]:
    found: list[Any] = []
    parser.walk(tree, found.append)
    return found


def _depth(text: str) -> int:
    """How many brackets, or signs before a value, are open at most: what the parser goes down for."""
    depth = deepest = signs = 0
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        signs = signs + 1 if character in "+-" else signs if character.isspace() else 0
        deepest = max(deepest, depth + signs)
    return deepest
