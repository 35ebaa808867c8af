"""Readers of what was emitted, by what the targets document: they share no code with what emits it."""
