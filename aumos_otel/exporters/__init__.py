"""Ways out that are not OTLP; each module loads its library and is imported when it is asked for."""
