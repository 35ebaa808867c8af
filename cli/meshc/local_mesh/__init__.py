"""A whole mesh on one machine: sidecars with mutual TLS, stand-in workloads, and nothing left when it ends."""
