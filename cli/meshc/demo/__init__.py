"""The demonstration: a bundle built from a real mesh, and a small mesh at work, call by call."""
