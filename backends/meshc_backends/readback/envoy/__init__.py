"""The reader of Envoy's bootstraps, by Envoy's documentation of its configuration (v3 API, 1.40)."""
