"""Snapshots of the Python proxy read back, by their JSON schema and what the proxy documents."""
