"""``python -m aumos_otel`` is the command ``aumos-otel``."""

from aumos_otel.cli import main

main()
