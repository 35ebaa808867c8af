"""Renderers: findings, decisions and reports as text for people and JSON for programs. They decide nothing."""
