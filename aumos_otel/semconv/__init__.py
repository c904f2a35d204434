"""The names: attributes, metrics, spans, events and rules, generated from registry.yaml."""
