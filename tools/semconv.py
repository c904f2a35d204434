"""Generate the Python constants and the reference page from semconv/registry.yaml.

Usage: ``python tools/semconv.py [--check]``.  With ``--check`` nothing is written and the
exit code is 1 when a generated file differs from what the registry says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SEMCONV = ROOT / "aumos_otel" / "semconv"
HEADER = '"""{title}\n\nGenerated from registry.yaml by tools/semconv.py; do not edit.\n"""\n\nfrom __future__ import annotations\n\n'
INSTRUMENTS = {"counter", "histogram", "observable_counter", "observable_gauge", "up_down_counter"}


def constant(name: str) -> str:
    """``gen_ai.request.model`` -> ``GEN_AI_REQUEST_MODEL``."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()


def attributes_module(registry: dict[str, Any]) -> str:
    """Attribute names and their well-known values."""
    lines = [HEADER.format(title="Attribute names and their well-known values."), "from typing import Final\n"]
    for name, spec in registry["attributes"].items():
        lines.append(f"\n{constant(name)}: Final = {quote(name)}")
        lines.append(f'"""{spec["brief"]}"""')
        for key, value in spec.get("values", {}).items():
            lines.append(f"{constant(name)}_{constant(key)}: Final = {quote(value)}")
    return "\n".join(lines) + "\n"


def metrics_module(registry: dict[str, Any]) -> str:
    """Metrics as data: name, instrument, unit, buckets and allowed attributes."""
    lines = [
        HEADER.format(title="Metrics as data: name, instrument, unit, buckets and attributes."),
        "from dataclasses import dataclass\nfrom typing import Final\n",
        "\n@dataclass(frozen=True, slots=True)\nclass Metric:",
        '    """One metric: what is needed to create its instrument."""\n',
        "    name: str\n    instrument: str\n    unit: str\n    description: str",
        "    buckets: tuple[float, ...] | None\n    attributes: tuple[str, ...]\n",
    ]
    for name, spec in registry["metrics"].items():
        buckets = tuple(float(edge) for edge in registry["buckets"][spec["buckets"]]) if "buckets" in spec else None
        body = (name, spec["instrument"], spec["unit"], spec["brief"], buckets, tuple(spec["attributes"]))
        fields = ("name", "instrument", "unit", "description", "buckets", "attributes")
        inner = "".join(f"    {field}={quote(value)},\n" for field, value in zip(fields, body, strict=True))
        lines.append(f"\n{constant(name)}: Final = Metric(\n{inner})")
    return "\n".join(lines) + "\n"


def names_module(title: str, names: dict[str, str]) -> str:
    """A module of plain string constants."""
    lines = [HEADER.format(title=title), "from typing import Final\n"]
    lines += [f"\n{key}: Final = {quote(value)}" for key, value in names.items()]
    return "\n".join(lines) + "\n"


def quote(value: object) -> str:
    """A Python literal in double quotes."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "(" + ", ".join(quote(item) for item in value) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def reference_page(registry: dict[str, Any]) -> str:
    """The names as a Markdown page."""
    out = ["# Names", "", "Generated from `aumos_otel/semconv/registry.yaml`; do not edit.", ""]
    out += ["## Attributes", "", "| attribute | type | source | meaning | well-known values |", "|---|---|---|---|---|"]
    for name, spec in registry["attributes"].items():
        values = " ".join(f"`{value}`" for value in spec.get("values", {}).values())
        out.append(f"| `{name}` | {spec['type']} | {spec['source']} | {spec['brief']} | {values} |")
    out += [
        "",
        "## Metrics",
        "",
        "| metric | instrument | unit | source | meaning | attributes |",
        "|---|---|---|---|---|---|",
    ]
    for name, spec in registry["metrics"].items():
        attributes = " ".join(f"`{attribute}`" for attribute in spec["attributes"])
        out.append(
            f"| `{name}` | {spec['instrument']} | `{spec['unit']}` | {spec['source']} | {spec['brief']} | {attributes} |"
        )
    out += ["", "### Buckets", "", "| name | edges |", "|---|---|"]
    out += [f"| {name} | {', '.join(str(edge) for edge in edges)} |" for name, edges in registry["buckets"].items()]
    out += ["", "## Spans", "", "| operation | name | kind | meaning |", "|---|---|---|---|"]
    out += [
        f"| `{key}` | `{spec['name']}` | {spec['kind']} | {spec['brief']} |" for key, spec in registry["spans"].items()
    ]
    out += ["", "## Events", "", "| event | severity | meaning |", "|---|---|---|"]
    out += [f"| `{name}` | {spec['severity']} | {spec['brief']} |" for name, spec in registry["events"].items()]
    out += ["", "## Recording rules", "", "| series | source | meaning |", "|---|---|---|"]
    out += [f"| `{name}` | {spec['source']} | {spec['brief']} |" for name, spec in registry["rules"].items()]
    out += ["", "## Alerts", "", "| alert | meaning |", "|---|---|"]
    out += [f"| `{name}` | {spec['brief']} |" for name, spec in registry["alerts"].items()]
    out += ["", "## Topics", "", "| topic | meaning |", "|---|---|"]
    out += [f"| `{name}` | {spec['brief']} |" for name, spec in registry["topics"].items()]
    out += ["", "## Instrumentation scopes", "", "| scope | meaning |", "|---|---|"]
    out += [f"| `{name}` | {spec['brief']} |" for name, spec in registry["scopes"].items()]
    return "\n".join(out) + "\n"


def validate(registry: dict[str, Any]) -> list[str]:
    """What is wrong in the registry: unknown attributes, instruments, buckets; clashing constants."""
    problems = []
    for name, spec in registry["metrics"].items():
        problems += [
            f"metric {name}: unknown attribute {a}" for a in spec["attributes"] if a not in registry["attributes"]
        ]
        if spec["instrument"] not in INSTRUMENTS:
            problems.append(f"metric {name}: unknown instrument {spec['instrument']}")
        if "buckets" in spec and spec["buckets"] not in registry["buckets"]:
            problems.append(f"metric {name}: unknown buckets {spec['buckets']}")
    seen: dict[str, str] = {}
    for name, spec in registry["attributes"].items():
        for key in [constant(name), *(f"{constant(name)}_{constant(value)}" for value in spec.get("values", {}))]:
            if key in seen:
                problems.append(f"attribute {name}: constant {key} is taken by {seen[key]}")
            seen[key] = name
    return problems


def outputs(registry: dict[str, Any]) -> dict[Path, str]:
    """Every generated file with its content."""
    spans = {constant(key): key for key in registry["spans"]}
    scopes = {f"SCOPE_{constant(name)}": name for name in registry["scopes"]}
    schema = {f"SCHEMA_URL_{constant(name)}": url for name, url in registry["schema_urls"].items()}
    rules = {constant(name.replace("{window}", "")): name.replace("{window}", "") for name in registry["rules"]}
    alerts = {
        f"ALERT_{constant(re.sub('(?<=[a-z])(?=[A-Z])|(?<=SLO)', '_', name))}": name for name in registry["alerts"]
    }
    return {
        SEMCONV / "attributes.py": attributes_module(registry),
        SEMCONV / "metrics.py": metrics_module(registry),
        SEMCONV / "spans.py": names_module(
            "Span operations, instrumentation scopes and schema URLs.", spans | scopes | schema
        ),
        SEMCONV / "events.py": names_module(
            "Event names, and topics of the platform's event bus.",
            {constant(name): name for name in registry["events"]}
            | {f"TOPIC_{constant(name)}": name for name in registry["topics"]},
        ),
        SEMCONV / "rules.py": names_module(
            "Recording rules and alerts; a name that ends in its operation is followed by a window.", rules | alerts
        ),
        ROOT / "docs" / "reference" / "semconv.md": reference_page(registry),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with ``--check``."""
    registry = yaml.safe_load((SEMCONV / "registry.yaml").read_text())
    problems = validate(registry)
    for path, content in outputs(registry).items():
        if "--check" not in arguments:
            path.write_text(content)
        elif not path.exists() or path.read_text() != content:
            problems.append(f"{path.relative_to(ROOT)} differs from registry.yaml; run: python tools/semconv.py")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
