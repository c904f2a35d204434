"""What is redacted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from aumos_otel._internal.values import boolean, choice, function, mapping, names, text
from aumos_otel.config.declaration import Options, option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aumos_otel.config.words import Action


@dataclass(frozen=True, kw_only=True)
class RedactionOptions(Options):
    """What is found in texts, names and values before they leave, and what becomes of it.

    An action is ``keep``, ``mask`` (``[REDACTED:jwt]``), ``hash`` (``[HASH:email:0123456789ab]``, equal for
    equal values of one tenant) or ``drop`` (the attribute goes; a name or body is masked as a whole).

    >>> from aumos_otel import RedactionOptions
    >>> RedactionOptions(personal="mask", patterns={"badge": r"BADGE-[0-9]{6}"}).personal
    'mask'
    """

    prefix: ClassVar[str] = "redaction"

    secrets: Action = option(
        "mask",
        "AUMOS_OTEL_REDACTION_SECRETS",
        parse=choice("keep", "mask", "hash", "drop"),
        doc="Keys, tokens, passwords and payment cards.",
    )
    personal: Action = option(
        "keep",
        "AUMOS_OTEL_REDACTION_PERSONAL",
        parse=choice("keep", "mask", "hash", "drop"),
        doc="E-mail addresses, phone numbers, IBANs.",
    )
    national_ids: Action = option(
        "keep",
        "AUMOS_OTEL_REDACTION_NATIONAL_IDS",
        parse=choice("keep", "mask", "hash", "drop"),
        doc="National identity numbers of eleven countries.",
    )
    patterns: Mapping[str, str] = option(
        {}, parse=mapping, doc="Further secrets: regular expressions of linear cost by the name that a marker shows."
    )
    keys: Sequence[str] = option(
        (), "AUMOS_OTEL_REDACTION_KEYS", parse=names, doc="Further names whose value is a secret whatever it is."
    )
    hash_key: str | None = option(
        None,
        "AUMOS_OTEL_REDACTION_HASH_KEY",
        parse=text,
        doc="Secret from which each tenant's key for `hash` is derived.",
        secret=True,
    )
    fail_closed: bool = option(
        False,
        "AUMOS_OTEL_REDACTION_FAIL_CLOSED",
        parse=boolean,
        doc="Drop a record that cannot be told clean in time, instead of masking the text.",
    )
    custom: Callable[[str, str], str] | None = option(
        None, parse=function, doc="Function of key and redacted text that returns the text that leaves."
    )
