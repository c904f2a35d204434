"""Compiled rules on their way to what runs them: what would change, and changing it.

| target | what it is | where |
|---|---|---|
| ``files:DIR`` | a directory that Prometheus reads, one file a service | `files` |
| ``mimir:URL`` | the ruler API of Mimir, or of Cortex | `mimir` |
| ``k8s:NAMESPACE`` | ``PrometheusRule`` resources, through kubectl | `kubernetes` |
| ``server:URL`` | the control plane's ``/api/v1/slos`` | `server` |

Every target reads back what is there; `plan` compares; only what carries the owner's mark is ever changed or
deleted.
"""
