"""How an option is declared, checked and filled; the option objects are beside it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import Field, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel._internal.values import Parser


class _Unset:
    """The value of a field that the user left out."""

    def __repr__(self) -> str:
        return "unset"


UNSET = _Unset()


def option(default: Any, *variables: str, parse: Parser, doc: str, secret: bool = False) -> Any:
    """Declare one option: default, variables in order of precedence, check and meaning; a secret is never printed."""
    metadata = {"default": default, "variables": variables, "parse": parse, "doc": doc, "secret": secret}
    return field(default=cast("Any", UNSET), metadata=metadata, repr=not secret)


class Options:
    """Base of the option objects: checks arguments, fills what was left out."""

    prefix: ClassVar[str] = ""

    def __new__(cls, *_args: object, **given: object) -> Self:
        """Refuse an option that does not exist, with the nearest that does."""
        known = [declared.name for declared in fields(cast("Any", cls))]
        for name in given:
            if name not in known:
                raise unknown_option(f"{cls.prefix}.{name}" if cls.prefix else name, known)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for declared in _declared(self):
            value = getattr(self, declared.name)
            if value is not UNSET and value is not None:
                object.__setattr__(self, declared.name, self._check(declared, value, self._subject(declared)))

    def resolve(self, environ: Mapping[str, str], file: Mapping[str, Any], sources: dict[str, str]) -> Self:
        """Fill the fields left out; record in ``sources`` where each value came from."""
        filled = {}
        for declared in _declared(self):
            value, source = getattr(self, declared.name), "argument"
            if value is UNSET:
                value, source = self._look_up(declared, environ, file)
            filled[declared.name] = value
            sources[self._subject(declared)] = source
        return cast("Self", replace(cast("Any", self), **filled))

    def _look_up(self, declared: Field[Any], environ: Mapping[str, str], file: Mapping[str, Any]) -> tuple[Any, str]:
        variables = declared.metadata["variables"]
        for variable in (name for name in variables if name.startswith("AUMOS_")):
            if environ.get(variable, "").strip():
                return self._check(declared, environ[variable], variable), variable
        section = file.get(self.prefix, {}) if self.prefix else file
        if isinstance(section, Mapping) and declared.name in section:
            subject = f"OTEL_CONFIG_FILE distribution.aumos.{self._subject(declared)}"
            return self._check(declared, section[declared.name], subject), "OTEL_CONFIG_FILE"
        for variable in (name for name in variables if name.startswith("OTEL_")):
            if environ.get(variable, "").strip() and not environ.get("OTEL_CONFIG_FILE", "").strip():
                return self._check(declared, environ[variable], variable), variable
        return declared.metadata["default"], "default"

    def _subject(self, declared: Field[Any]) -> str:
        return f"{self.prefix}.{declared.name}" if self.prefix else declared.name

    @staticmethod
    def _check(declared: Field[Any], value: Any, subject: str) -> Any:
        try:
            return declared.metadata["parse"](value)
        except ValueError as error:
            seen = "(hidden)" if declared.metadata["secret"] else value
            raise ConfigError(subject, seen=seen, expected=str(error), remedy="correct it or leave it out") from None


def _declared(options: Any) -> list[Field[Any]]:
    return [declared for declared in fields(options) if "parse" in declared.metadata]


def unknown_option(name: str, known: Sequence[str]) -> ConfigError:
    """The error for an option that does not exist, with the nearest that does."""
    near = difflib.get_close_matches(name.rpartition(".")[2], known, n=1)
    remedy = f"did you mean {near[0]}?" if near else "see docs/reference/configuration.md"
    return ConfigError(name, seen="an unknown option", expected="one of " + ", ".join(known), remedy=remedy)


def one_of(kind: type[Options]) -> Parser:
    """Takes an option object of that kind."""

    def parse(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise ValueError(f"aumos_otel.{kind.__name__}(…)")

    return parse


def explain(sections: Sequence[Options], sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every option with its value, source, variables and meaning; secrets are hidden."""
    rows = []
    for section in sections:
        for declared in _declared(section):
            name = section._subject(declared)  # noqa: SLF001 - same module
            value = getattr(section, declared.name)
            hidden = declared.metadata["secret"] and value is not None
            rows.append(
                {
                    "option": name,
                    "value": "(hidden)" if hidden else value,
                    "default": declared.metadata["default"],
                    "source": sources.get(name, "default"),
                    "variables": list(declared.metadata["variables"]),
                    "doc": declared.metadata["doc"],
                }
            )
    return rows
