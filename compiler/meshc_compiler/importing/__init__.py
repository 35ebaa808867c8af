"""Readers of what others wrote: `.proto` files, OpenAPI documents and Kubernetes manifests, from text to facts."""
