"""The SDK's providers, one module a signal, assembled from the configuration."""
