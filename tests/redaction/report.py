"""Prints recall by detector and false positives by kind of text: ``python tests/redaction/report.py``."""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from redaction.corpus import clean, positives

from aumos_otel.config import RedactionOptions
from aumos_otel.redaction.policy import Redactor

MARKER = re.compile(r"\[REDACTED:([a-z0-9_.-]+)\]")


def redactor(**options: object) -> Redactor:
    """A redactor with defaults filled in."""
    return Redactor(RedactionOptions(**options).resolve({}, {}, {}))


def recall() -> dict[str, list[str]]:
    """The texts by detector whose secret came out; an empty list for a detector that found all."""
    masking = redactor(personal="mask")
    missed: dict[str, list[str]] = defaultdict(list)
    for name, value, text in positives.cases():
        missed[name] += [text] if value in masking.text("text", text) else []
    ids = redactor(national_ids="mask", secrets="keep")
    for name, values in positives.NATIONAL.items():
        for value in values:
            for around in ("{}", "id {} on file", '{{"id": "{}"}}'):
                text = around.replace("{}", value)
                missed[name] += [text] if value in ids.text("text", text) else []
    return missed


def false_positives(**options: object) -> dict[str, tuple[int, Counter[str], list[str]]]:
    """By kind of clean text: how many there are, detectors that found something, and in which texts."""
    masking = redactor(**options)
    found = {}
    for kind, texts in clean.texts().items():
        redacted = [(text, masking.text("text", text)) for text in texts]
        wrong = [(text, out) for text, out in redacted if text != out]
        found[kind] = (
            len(texts),
            Counter(name for _, out in wrong for name in MARKER.findall(out)),
            [o for _, o in wrong],
        )
    return found


def main() -> None:
    """Print both tables."""
    counted = Counter(name for name, _, _ in positives.cases())
    counted.update({name: 3 * len(values) for name, values in positives.NATIONAL.items()})
    missed = recall()
    print(f"{'detector':<24}{'planted':>8}{'missed':>8}{'recall':>9}")
    for name, count in counted.items():
        print(f"{name:<24}{count:>8}{len(missed[name]):>8}{1 - len(missed[name]) / count:>9.3f}")
    lost = sum(map(len, missed.values()))
    print(f"{'all':<24}{counted.total():>8}{lost:>8}{1 - lost / counted.total():>9.3f}")
    for title, options in {
        "secrets (default)": {},
        "and personal data": {"personal": "mask"},
        "and national ids": {"personal": "mask", "national_ids": "mask"},
    }.items():
        print(f"\nfalse positives: {title}")
        for kind, (count, names, examples) in false_positives(**options).items():
            print(f"{kind:<24}{count:>8}{len(examples):>8}{len(examples) / count:>9.4f}  {dict(names) or ''}")
            if "-v" in sys.argv:
                print(*(f"      {example[:150]}" for example in examples[:12]), sep="\n")


if __name__ == "__main__":
    main()
