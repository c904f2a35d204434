"""OTEL_CONFIG_FILE: the declarative configuration, and our part of it, ``distribution.aumos``."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from aumos_otel.errors import ConfigError, MissingExtraError

_SUBJECT = "OTEL_CONFIG_FILE"


def load(name: str, known: Mapping[str, Collection[str]]) -> tuple[Any, Mapping[str, Any]]:
    """The configuration as its own package reads it, and our section.

    Args:
        name: the path of the file; empty when there is none.
        known: the options of our section; one that is a section itself with its options.

    Raises:
        ConfigError: the file cannot be read, or our section has an option that does not exist.
    """
    if not name:
        return None, {}
    if not Path(name).is_file():
        raise ConfigError(_SUBJECT, seen=name, expected="a readable file", remedy="correct or unset it")
    try:
        from opentelemetry.configuration import load_config_file  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError(_SUBJECT, extra="file-configuration", module="opentelemetry.configuration") from None
    try:
        loaded = load_config_file(name)
    except Exception as error:
        raise ConfigError(
            _SUBJECT,
            seen=f"{name}: {error}",
            expected="a file of the OpenTelemetry configuration schema",
            remedy="correct the file; https://github.com/open-telemetry/opentelemetry-configuration has the schema",
        ) from error
    section = _distribution(loaded)
    _check(section, known, f"{_SUBJECT} distribution.aumos")
    for option, nested in section.items():
        subject = f"{_SUBJECT} distribution.aumos.{option}"
        if known[option] and isinstance(nested, Mapping):
            _check(nested, known[option], subject)
        elif known[option] and not isinstance(nested, bool):
            expected = "a mapping with some of " + ", ".join(known[option])
            raise ConfigError(subject, seen=nested, expected=expected, remedy="correct or remove it")
    return loaded, section


def _check(section: Mapping[str, Any], known: Collection[str], subject: str) -> None:
    for option in section:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            raise ConfigError(
                f"{subject}.{option}",
                seen="an unknown option",
                expected="one of " + ", ".join(known),
                remedy=f"did you mean {near[0]}?" if near else "remove it",
            )


def _distribution(loaded: Any) -> Mapping[str, Any]:
    distribution = getattr(loaded, "distribution", None)
    if isinstance(distribution, Mapping):
        section = distribution.get("aumos")
    else:
        section = getattr(distribution, "aumos", None)
        section = section or getattr(distribution, "additional_properties", {}).get("aumos")
    return section if isinstance(section, Mapping) else {}
