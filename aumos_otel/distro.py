"""Zero-code start: ``opentelemetry-instrument python app.py`` gives the same pipeline.

With opentelemetry-distro installed too, OTEL_PYTHON_DISTRO=aumos decides; the distro then
also asks for our configurator.
"""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # the package has no type information

from aumos_otel._compat import BaseConfigurator

_CONFIGURATOR = "OTEL_PYTHON_CONFIGURATOR"


class AumosDistro(BaseDistro):  # type: ignore[misc]  # the base has no type information
    """Leaves instrumentors to ``configure()``, which chooses and reports them."""

    def _configure(self, **_options: Any) -> None:
        os.environ.setdefault(_CONFIGURATOR, "aumos")

    def load_instrumentor(self, *_args: Any, **_options: Any) -> None:
        """Nothing: ``configure()`` has enabled what is to be enabled."""


class AumosConfigurator(BaseConfigurator):  # type: ignore[misc]  # the base is looked up at run time
    """Runs ``configure()`` with everything from the environment."""

    def _configure(self, **_options: Any) -> None:
        from aumos_otel._configure import configure_zero_code  # noqa: PLC0415 - not before the distro has spoken

        configure_zero_code()
