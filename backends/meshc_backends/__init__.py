"""The backends wing: a mesh (IR) to artefacts, each target in a room of its own.

`registry.BACKENDS` is the list of targets in the order in which they are built; `build` runs them and writes the
bundle.
"""
