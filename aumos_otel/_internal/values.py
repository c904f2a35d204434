"""How a raw option becomes a typed value.

A parser takes an argument or the text of a variable and returns the typed value, or raises
ValueError with the words for what it expected.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

Parser = Callable[[Any], Any]


def text(value: Any) -> str:
    """A non-empty string."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a non-empty string")
    return value.strip()


def boolean(value: Any) -> bool:
    """A bool, or one of the words of environment variables."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError("true or false")


def number(low: float, high: float, unit: str = "") -> Parser:
    """A finite number within bounds."""

    def parse(value: Any) -> float:
        if not isinstance(value, bool) and isinstance(value, (int, float, str)):
            try:
                parsed = float(value)
            except ValueError:
                parsed = float("nan")
            if low <= parsed <= high:
                return parsed
        raise ValueError(f"a number from {low:g} to {high:g}{unit}")

    return parse


def integer(low: int, high: int) -> Parser:
    """A whole number within bounds."""

    def parse(value: Any) -> int:
        try:
            parsed: float = number(low, high)(value)
        except ValueError:
            parsed = 0.5
        if parsed != int(parsed):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(parsed)

    return parse


def choice(*allowed: str) -> Parser:
    """One of a few words."""

    def parse(value: Any) -> str:
        if isinstance(value, str) and value.strip().lower() in allowed:
            return value.strip().lower()
        raise ValueError("one of " + ", ".join(allowed))

    return parse


def names(value: Any) -> tuple[str, ...]:
    """A comma-separated list, or a sequence of strings."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Sequence) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("a list of names")


def members(*allowed: str) -> Parser:
    """A list of names, all of them among a few."""

    def parse(value: Any) -> tuple[str, ...]:
        try:
            chosen = tuple(dict.fromkeys(word.lower() for word in names(value)))
        except ValueError:
            chosen = ()
        if not chosen or not set(chosen) <= set(allowed):
            raise ValueError("one or more of " + ", ".join(allowed))
        return chosen

    return parse


def readable_file(value: Any) -> str:
    """The path of a file that can be read."""
    if isinstance(value, (str, os.PathLike)) and os.access(value, os.R_OK) and Path(value).is_file():
        return os.fspath(value)
    raise ValueError("the path of a readable file")


def path(value: Any) -> str:
    """A path, existing or not."""
    if isinstance(value, (str, os.PathLike)) and os.fspath(value):
        return os.fspath(value)
    raise ValueError("a path")


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping with string keys."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    raise ValueError("a mapping with string keys")


def mapping_to(parse: Parser) -> Parser:
    """A mapping with string keys, whose values all pass ``parse``."""

    def parse_all(value: Any) -> Mapping[str, Any]:
        try:
            return {key: parse(content) for key, content in mapping(value).items()}
        except ValueError as error:
            raise ValueError(f"a mapping of strings to {error}") from None

    return parse_all


def headers(value: Any) -> Mapping[str, str]:
    """A mapping of header names to values."""
    if isinstance(value, Mapping) and all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        return {key.lower(): content for key, content in value.items()}
    raise ValueError("a mapping of header names to values, both strings")


def endpoint(value: Any) -> str:
    """``host:port`` or a URL with http, https, grpc or grpcs."""
    expected = "host:port, or a URL with http://, https://, grpc:// or grpcs://, and credentials in headers"
    if not isinstance(value, str) or not value.strip():
        raise ValueError(expected)
    url = value.strip() if "://" in value else "//" + value.strip()
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.scheme in ("", "http", "https", "grpc", "grpcs")
        valid = valid and (parts.port is None or parts.port > 0) and " " not in url and parts.username is None
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(expected)
    return value.strip()


def log_level(value: Any) -> int:
    """A level of the logging module, by name or number."""
    levels = {"notset": 0, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "critical": 50, "fatal": 50}
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in levels:
            return levels[word]
        if word.isdigit():
            return int(word)
    raise ValueError("a logging level such as INFO or 20")


def signal_name(value: Any) -> str:
    """The name of a POSIX signal, e.g. SIGUSR2."""
    if isinstance(value, str) and value.strip().upper() in signal.Signals.__members__:
        return value.strip().upper()
    raise ValueError("the name of a signal of this platform, e.g. SIGUSR2")


def anything(value: Any) -> Any:
    """A value that its consumer checks."""
    return value


def function(value: Any) -> Callable[..., Any]:
    """Something that can be called."""
    if callable(value):
        return cast("Callable[..., Any]", value)
    raise ValueError("a function")


def instances(*methods: str) -> Parser:
    """A sequence of objects that have these methods."""

    def parse(value: Any) -> tuple[Any, ...]:
        if (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and all(callable(getattr(item, method, None)) for item in value for method in methods)
        ):
            return tuple(value)
        raise ValueError("a sequence of objects with " + ", ".join(f"{method}()" for method in methods))

    return parse
