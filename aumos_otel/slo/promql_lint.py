"""PromQL of the definitions: whether it can be parsed, and whether it asks for what an SLI needs.

The parser is written in Rust.  It ends the process when an expression is nested too deeply, and walking through
what it found takes memory by the square of the operators: it is asked only about what is short and shallow.
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

#: Characters, brackets inside each other, and operators of an expression that is given to the parser.
LONGEST: Final = 8 * 1024
DEEPEST: Final = 64
MOST_OPERATORS: Final = 100
#: Seconds that stand in for the window of a template.
_WINDOW: Final = 300

_STRING: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`", re.DOTALL)
_MATCHERS: Final = re.compile(r"\{[^{}]*\}")
_OPERATOR: Final = re.compile(r"[-+*/%^]|[=!<>]=|[<>]|\b(?i:or|and|unless|atan2)\b")
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
    levels, operators = _levels(bare), len(_OPERATOR.findall(_MATCHERS.sub("", bare)))
    if len(plain) > LONGEST or levels > DEEPEST or operators > MOST_OPERATORS:
        what = f"it is not checked: {len(plain)} characters, {levels} levels and {operators} operators"
        limits = f"only {LONGEST}, {DEEPEST} and {MOST_OPERATORS} are tried"
        yield Fault("error", "promql", f"{what}; {limits}", "record parts of it by rules of their own")
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


def _shape(parser: Any, tree: Any, *, counter: bool) -> list[Fault]:
    found: list[Fault] = []
    if counter and not isinstance(tree, parser.VectorSelector):
        text = "it is to be a selector of counter series"
        remedy = "leave functions and ranges away, or put {{.window}} where the range goes"
        found.append(Fault("error", "promql-counter", text, remedy))

    # Each node that is handed out is a copy of all that is below it: none is kept.
    def visit(node: Any) -> None:
        if isinstance(node, parser.VectorSelector):
            found.extend(_selector(parser, node))
        elif isinstance(node, parser.Call) and node.func.name in _OVER_TIME:
            subqueries = (argument for argument in node.args if isinstance(argument, parser.SubqueryExpr))
            if any(_aggregates(parser, subquery) for subquery in subqueries):
                text = f"{node.func.name}() over a sum cannot tell a restart from a fall"
                found.append(
                    Fault("error", "promql-sum-first", text, f"sum what {node.func.name}() of each series gives")
                )

    parser.walk(tree, visit)
    return found


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
    """Whether something in the tree is a sum or the like: the walk ends there."""
    return not parser.walk(tree, lambda node: not isinstance(node, parser.AggregateExpr))


def _levels(text: str) -> int:
    """How many brackets are open at most."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest
