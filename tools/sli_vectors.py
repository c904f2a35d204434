"""Write the vectors by which every implementation of the language of SLIs is tested: tests/contract/sli/*.json.

Usage: ``python tools/sli_vectors.py [--check]``.  With ``--check`` nothing is written and the exit code is 1
when a file differs from what it should be.  What a vector expects is said by hand in sli_cases.py and
sli_built_in_cases.py, and by sli_reference.py for those that are generated; neither asks the package.
"""

from __future__ import annotations

import base64
import json
import random
import sys
from pathlib import Path
from typing import Any

from sli_built_in_cases import CASES
from sli_cases import ABSENT, CHECKS, CONDITIONS, REFUSED
from sli_reference import KINDS, STATUSES, Record, verdict

from aumos_otel.slo import library

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "contract" / "sli"
GENERATED = 400
START = 1_764_000_000_000_000_000

KEYS = ("a.b", "a.c", "tenant")
VALUES: tuple[Any, ...] = ("x", "y", "", "/v1/chat", "Zürich", 0, 1, 5, -3, 0.5, 5.0, 2**53 + 1, True, False, None)
ARRAYS: tuple[Any, ...] = ([], ["x", "y"], [1, 2.5], [True, None], [["x"]])
WANTED: tuple[Any, ...] = ("x", "y", "", "Zürich", 0, 1, 5, -3, 0.5, True, False)
PATTERNS = ("x|y", "/v[0-9]/.*", "[^x]*", r"\w+", "(x?y?)*", ".{1,6}")


def value(given: Any) -> dict[str, Any]:  # noqa: PLR0911 - one return a type
    """A value as OTLP has it in JSON."""
    match given:
        case None:
            return {}
        case str():
            return {"stringValue": given}
        case bool():
            return {"boolValue": given}
        case int():
            return {"intValue": str(given)}
        case float():
            words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
            return {"doubleValue": words.get(str(given), given)}
        case bytes():
            return {"bytesValue": base64.b64encode(given).decode()}
        case list():
            return {"arrayValue": {"values": [value(each) for each in given]}}
        case _:
            return {"kvlistValue": {"values": attributes(given)}}


def attributes(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP has them in JSON."""
    return [{"key": key, "value": value(each)} for key, each in given.items()]


def record(facts: dict[str, Any]) -> Record:
    """A span, or a log record where ``log`` is its event's name, with what it came from."""
    inside: dict[str, Any] = {"attributes": attributes(facts.get("attributes", {}))}
    if "log" in facts:
        inside["eventName"] = facts["log"]
    else:
        kind = facts.get("kind", "internal")
        inside |= {
            "name": facts.get("name", "work"),
            "kind": 0 if kind is None else KINDS.index(kind, 1),
            "startTimeUnixNano": str(START),
            "endTimeUnixNano": str(START + facts.get("nanoseconds", 1_000_000)),
            "status": {"code": STATUSES.index(facts.get("status", "unset"))},
            "events": [{"name": name, "attributes": attributes(told)} for name, told in facts.get("events", ())],
        }
    return {
        "resource": {"attributes": attributes(facts.get("resource", {}))},
        "scope": {"name": facts["scope"]} if "scope" in facts else {},
        "log" if "log" in facts else "span": inside,
    }


def checks() -> list[dict[str, Any]]:
    """One check of one attribute each."""
    return [
        {
            "name": name,
            "sli": {"match": {}, "good": {"a.b": wanted}},
            **record({"attributes": {} if given is ABSENT else {"a.b": given}}),
            "expect": expected,
        }
        for name, wanted, given, expected in CHECKS
    ]


def conditions() -> list[dict[str, Any]]:
    """Conditions of every form: as what is good, and as what is an event."""
    found = []
    for name, condition, facts, expected in CONDITIONS:
        for role, sli, expect in (
            ("good", {"match": {}, "good": condition}, expected),
            ("match", {"match": condition, "good": {}}, True if expected else None),
        ):
            found.append({"name": f"{name} ({role})", "sli": sli, **record(facts), "expect": expect})
    return found


def built_in() -> list[dict[str, Any]]:
    """The SLIs that are built in, each written out as well."""
    found = []
    for number, (name, narrowed, facts, expected) in enumerate(CASES):
        sli = library.build(name, sli_name=name, path=(), problems=[], **narrowed)
        if sli is None:
            raise SystemExit(f"{name} {narrowed} cannot be built")
        found.append(
            {
                "name": f"{name} {number}",
                "built_in": {"sli": name, **narrowed},
                "sli": {part: each for part, each in sli.to_data().items() if part in ("match", "good")},
                **record(facts),
                "expect": expected,
            }
        )
    return found


def generated() -> list[dict[str, Any]]:
    """Conditions and spans by chance, as many of each verdict as of the others."""
    chance = random.Random(5)  # noqa: S311 - repeatable, not secret
    share = GENERATED // 3
    left = {None: share, True: share, False: GENERATED - 2 * share}
    found: list[dict[str, Any]] = []
    while any(left.values()):
        sli = {"match": any_condition(chance, 2), "good": any_condition(chance, 3)}
        span = record(any_facts(chance))
        expected = verdict(sli, span)
        if left[expected] and len(json.dumps(sli["good"])) > 16:  # noqa: PLR2004 - {} and the like say little
            left[expected] -= 1
            found.append({"name": f"generated {len(found)}", "sli": sli, **span, "expect": expected})
    return found


def any_condition(chance: random.Random, depth: int) -> dict[str, Any]:
    """A condition by chance, with others inside it down to ``depth``."""
    entries = [any_entry(chance, depth) for _ in range(chance.choice((1, 1, 2)))]
    return {key: each for entry in entries for key, each in entry.items()}


def any_entry(chance: random.Random, depth: int) -> dict[str, Any]:
    """One entry of a condition by chance."""
    parts = [any_condition(chance, depth - 1) for _ in range(chance.randint(0, 3))] if depth else []
    leaves: list[dict[str, Any]] = [
        {chance.choice(KEYS): any_check(chance)},
        {chance.choice(KEYS): any_check(chance)},
        {"kind": chance.choice(("server", ["client", "server"], {"ne": "internal"}))},
        {"status": chance.choice(("error", {"ne": "error"}, ["ok", "unset"]))},
        {"name": chance.choice(("work", {"prefix": "w"}, {"regex": "w[a-o]+k?"}, {"ne": "work"}))},
        {"scope": chance.choice(("lib", {"in": ["lib", ""]}))},
        {"duration": {chance.choice(("lt", "lte", "gt", "gte", "below", "above")): chance.choice(("1ms", "0.5s"))}},
        {"resource": {"service.name": chance.choice(("chat", {"exists": False}))}},
        {"event": chance.choice(("retry", {"name": {"prefix": "re"}, "attributes": {"n": {"gte": 2}}}))},
        {"sum": {"of": list(KEYS[:2]), chance.choice(("lt", "above")): chance.choice((1, 5.5))}},
    ]
    joined: list[dict[str, Any]] = (
        [{"all": parts}, {"any": parts}, {"not": any_condition(chance, depth - 1)}] if depth else []
    )
    return chance.choice(leaves + joined * 2)


def any_check(chance: random.Random) -> Any:
    """The check of an attribute by chance."""
    wanted = chance.choice(WANTED)
    return chance.choice(
        (
            wanted,
            {"ne": wanted},
            {"in": chance.sample(WANTED, 3)},
            {"exists": chance.random() < 0.5},  # noqa: PLR2004 - as likely as not
            {chance.choice(("lt", "lte", "gt", "gte")): chance.choice((0, 1, 0.5, 5))},
            {"gte": 0, "lt": 5},
            {"prefix": chance.choice(("x", "/v", "Z"))},
            {"regex": chance.choice(PATTERNS)},
        )
    )


def any_facts(chance: random.Random) -> dict[str, Any]:
    """A span or a log record by chance."""
    facts: dict[str, Any] = {
        "attributes": {key: chance.choice(VALUES + ARRAYS) for key in KEYS if chance.random() < 0.75}  # noqa: PLR2004 - mostly
    }
    if chance.random() < 0.1:  # noqa: PLR2004 - now and then
        return facts | {"log": chance.choice(("work", "retry"))}
    return facts | {
        "kind": chance.choice(KINDS[1:]),
        "name": chance.choice(("work", "walk", "")),
        "status": chance.choice(STATUSES),
        "scope": chance.choice(("lib", "")),
        "nanoseconds": chance.choice((0, 999_999, 1_000_000, 500_000_000, 500_000_001)),
        "resource": chance.choice(({}, {"service.name": "chat"})),
        "events": chance.choice(((), [("retry", {"n": 2})], [("retry", {"n": 1}), ("revert", {})])),
    }


def refused() -> list[dict[str, Any]]:
    """Definitions that must not be taken, with the paths of their problems."""
    return [
        {"name": name, "sli": {"match": match, "good": {}}, "paths": [["match", *path] for path in paths]}
        for name, match, paths in REFUSED
    ]


def text(vectors: list[dict[str, Any]]) -> str:
    """A file: one vector a line."""
    lines = (json.dumps(vector, ensure_ascii=False, allow_nan=False) for vector in vectors)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with ``--check``."""
    families = {
        "checks": checks(),
        "conditions": conditions(),
        "built_in": built_in(),
        "generated": generated(),
        "refused": refused(),
    }
    stale = []
    for name, vectors in families.items():
        path = FOLDER / f"{name}.json"
        if "--check" not in arguments:
            path.write_text(text(vectors), encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text(vectors):
            stale.append(path.name)
    for name in stale:
        print(f"tests/contract/sli/{name} is stale; run: python tools/sli_vectors.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
